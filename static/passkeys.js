// Passkeys: the forms marked data-passkey="login|get|create" ask the browser for a credential and then send themselves.
// What the server wants of the browser stands in data-options, or is fetched for a sign-in; bytes travel as base64url.
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  async function login(form) {
    const response = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    return get((await response.json()).request_options);
  }

  async function get({ publicKey }) {
    const asked = { ...publicKey, challenge: bytes(publicKey.challenge), allowCredentials: named(publicKey.allowCredentials) };
    const found = await navigator.credentials.get({ publicKey: asked });
    const { clientDataJSON, authenticatorData, signature, userHandle } = found.response;
    return plain(found, {
      clientDataJSON: text(clientDataJSON),
      authenticatorData: text(authenticatorData),
      signature: text(signature),
      userHandle: userHandle ? text(userHandle) : null,
    });
  }

  async function create({ publicKey }, form) {
    const alone = form.elements.passwordless.checked;
    const asked = {
      ...publicKey,
      challenge: bytes(publicKey.challenge),
      user: { ...publicKey.user, id: bytes(publicKey.user.id) },
      excludeCredentials: named(publicKey.excludeCredentials),
      authenticatorSelection: {
        ...publicKey.authenticatorSelection,
        residentKey: alone ? "required" : "discouraged",
        requireResidentKey: alone,
        ...(alone && { userVerification: "required" }),
      },
    };
    const made = await navigator.credentials.create({ publicKey: asked });
    const { clientDataJSON, attestationObject } = made.response;
    const transports = made.response.getTransports ? made.response.getTransports() : [];
    return plain(made, { clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject), transports });
  }

  function plain(credential, response) {
    return {
      type: credential.type,
      id: credential.id,
      rawId: text(credential.rawId),
      authenticatorAttachment: credential.authenticatorAttachment,
      response,
      clientExtensionResults: credential.getClientExtensionResults(),
    };
  }

  const options = (form) => JSON.parse(form.dataset.options);
  const ways = {
    login,
    get: (form) => get(options(form).request_options),
    create: (form) => create(options(form).creation_options, form),
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const way = ways[form.dataset.passkey];
    if (!way) return;
    event.preventDefault();
    const trouble = form.querySelector("[data-passkey-error]");
    const button = form.querySelector("button[type=submit]");
    trouble.hidden = true;
    button.disabled = true;
    try {
      form.elements.credential.value = JSON.stringify(await way(form));
      form.submit();
    } catch (error) {
      const isBadAddress = error.name === "SecurityError"; // an address in digits has no passkeys
      trouble.textContent = isBadAddress ? trouble.dataset.passkeyAddress : trouble.dataset.passkeyError;
      trouble.hidden = false;
      button.disabled = false;
    }
  });

  // A browser without passkeys, or one that runs no script, is offered none.
  if (window.PublicKeyCredential) {
    for (const form of document.querySelectorAll("form[data-passkey][hidden]")) form.hidden = false;
  }
})();
