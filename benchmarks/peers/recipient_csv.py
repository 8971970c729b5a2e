"""GOV.UK Notify's RecipientCSV reading a file of many rows, with its errors. Prints one JSON line. Run by a Python that
can import `notifications_utils` (MIT; its own environment, never the console's)."""

import json
import sys
import time
from pathlib import Path

from notifications_utils.recipients import RecipientCSV
from notifications_utils.template import SMSMessageTemplate


def main() -> None:
    data = Path(sys.argv[1]).read_text()
    template = SMSMessageTemplate(
        {"content": "((name)), ((coupon)) ((amount)) ((until))", "template_type": "sms"}, prefix="Shop"
    )
    began = time.perf_counter()
    recipients = RecipientCSV(data, template)
    rows = len(recipients)
    errors = sum(1 for _ in recipients.rows_with_errors)
    print(json.dumps({"rows": rows, "errors": errors, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
