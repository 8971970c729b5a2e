"""Run by .venv-clients/bin/python: what SOLAPI's own SDK makes of the sandbox, as one JSON document on stdout.

Arguments: base URL, API key, API secret, sender number, channel, template, directory to write in.
"""

import json
import sys
import threading
import urllib.request
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from solapi import SolapiMessageService
from solapi.error.MessageNotReceiveError import MessageNotReceivedError
from solapi.model import KakaoOption, RequestMessage, SendRequestConfig
from solapi.model.request.groups.get_groups import GetGroupsRequest
from solapi.model.request.messages.get_messages import GetMessagesRequest
from solapi.model.webhook.group_report import GroupReportPayload
from solapi.model.webhook.single_report import SingleReportPayload

base, key, secret, sender, channel, template, directory = sys.argv[1:]
service = SolapiMessageService(key, secret)
service.base_url = base
found = {"before": service.get_balance().balance}

told = {"SINGLE-REPORT": [], "GROUP-REPORT": []}
all_told = threading.Event()


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["X-Solapi-Event-Name"] == "SINGLE-REPORT":
            reports = SingleReportPayload.model_validate(body).root
            told["SINGLE-REPORT"] += [[one.data.to, one.data.status_code] for one in reports]
        else:
            told["GROUP-REPORT"] += [one.data.status for one in GroupReportPayload.model_validate(body).root]
        self.send_response(200)
        self.end_headers()
        if told["GROUP-REPORT"]:
            all_told.set()

    def log_message(self, format, *args):
        pass


hook = HTTPServer(("127.0.0.1", 0), Hook)
threading.Thread(target=hook.serve_forever, daemon=True).start()
control = base.replace("/solapi", "/_sandbox/solapi/hooks")
address = json.dumps({"url": f"http://127.0.0.1:{hook.server_address[1]}/"}).encode()
urllib.request.urlopen(urllib.request.Request(control, address, {"Content-Type": "application/json"})).close()

variables = {"고객명": "김하나", "주문번호": "A-1", "상품명": "밀키트", "결제금액": "12,900"}
sent = service.send(
    [
        RequestMessage(from_=sender, to="010-4000-1000", text="짧은 문자", custom_fields={"id": "sms"}),
        RequestMessage(from_=sender, to="01040001001", text="긴 문자입니다. " * 10, subject="하루식탁"),
        RequestMessage(
            from_=sender,
            to="01040000002",
            kakao_options=KakaoOption(pf_id=channel, template_id=template, variables=variables),
        ),
        RequestMessage(from_=sender, to="01040000004", text="거부"),
    ],
    SendRequestConfig(show_message_list=True),
)
group = sent.group_info.group_id
found["group"] = group
found["failed"] = [[one.to, one.status_code] for one in sent.failed_message_list]
found["accepted"] = len(sent.message_list)
all_told.wait(20)
found["told"] = {name: list(reports) for name, reports in told.items()}
found["status"] = service.get_group(group).status
found["in_group"] = {
    one.to: [one.type.value, one.status_code] for one in service.get_group_messages(group).message_list.values()
}
listed = service.get_messages(GetMessagesRequest(group_id=group, limit=2))
found["listed"] = [len(listed.message_list), listed.next_key is not None]
found["groups"] = list(service.get_groups(GetGroupsRequest(group_id=group)).group_list)
found["after"] = service.get_balance().balance

try:
    service.send(RequestMessage(from_="0299999999", to="01040001000", text="모르는 번호"))
except MessageNotReceivedError as error:
    found["refused"] = [one.status_code for one in error.failed_messages]

later = service.send(
    RequestMessage(from_=sender, to="01040001000", text="나중에"),
    SendRequestConfig(scheduled_date=datetime.now() + timedelta(days=1)),
)
found["scheduled"] = later.group_info.status
found["cancelled"] = service.cancel_scheduled_message(later.group_info.group_id).status

picture = Path(directory) / "picture.jpg"
picture.write_bytes(b"\xff\xd8\xff" + b"0" * 1000)
file_id = service.upload_file(str(picture)).file_id
mms = service.send(RequestMessage(from_=sender, to="01040001006", text="사진", subject="사진", image_id=file_id))
found["mms"] = mms.group_info.count.registered_success

service.auth_info["api_secret"] = "wrong"
try:
    service.get_balance()
except Exception as error:  # what it raises has no class of its own
    found["wrong_secret"] = error.args[0]
json.dump(found, sys.stdout)
