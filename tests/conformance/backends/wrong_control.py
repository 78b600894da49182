"""A control program with one mistake: `python -m … MISTAKE`; it gives the address of no backend."""

import json
import sys
import time
from typing import Final

HELLO: Final = {
    "impl": "wrong",
    "version": "1",
    "words": ["job", "emit"],
    "base_url": "http://127.0.0.1:9",
    "token": "tok-of-a-wrong-control-program",
}
WRONG: Final = {
    "no impl": {"version": "1", "words": []},
    "strange word": {**HELLO, "words": ["fly"]},
    "no token": {**HELLO, "token": ""},
    "token with a space": {**HELLO, "token": "two words"},
    "wrong base_url": {**HELLO, "base_url": "ftp://x"},
    "no base_url": {**HELLO, "base_url": ""},
    "away": HELLO,
}


def main(mistake: str) -> None:
    """Answer each command, with the mistake."""
    if mistake == "dies at once":
        sys.exit("no module named backend")
    for line in sys.stdin:
        command = json.loads(line)
        number, do = command["id"], command["do"]
        if do == "hello" or mistake == "late":
            answer = WRONG.get(mistake, HELLO)
            if mistake == "garbage":
                print("Server started!", flush=True)
            elif mistake == "a list":
                print("[1]", flush=True)
            elif mistake == "silent":
                continue
            elif mistake == "late" and do != "hello":
                time.sleep(0.3)
            print(json.dumps({"re": number, "ok": answer}), flush=True)
        elif do == "bye":
            print(json.dumps({"re": number, "ok": {}}), flush=True)
            return
        elif mistake == "refuses":
            print(json.dumps({"re": number, "error": {"message": "no such job"}}), flush=True)
        elif mistake == "no ok":
            print(json.dumps({"re": number, "fine": {}}), flush=True)
        elif mistake == "dies":
            print("first line", file=sys.stderr)
            sys.exit("out of memory")
        elif mistake == "hangs":
            time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
