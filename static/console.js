// What the console's pages need beyond htmx: dialogs, copying, menus, and patience with a server that is away.
// Every listener is on the document, so that fragments swapped in later need no set-up.
"use strict";
