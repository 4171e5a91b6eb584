"""WHIP and WHEP over plain HTTP, for programs that know WebRTC: POST an offer, DELETE the session."""

import json
import os
import sys
import urllib.parse
import urllib.request


def say(**what):
    """Tells the test, one JSON object a line."""
    print(json.dumps(what), flush=True)


class Session:
    """One WHIP or WHEP session at the URL that the environment names."""

    def __init__(self):
        self.url = os.environ["TURNOUT_URL"]
        self.token = os.environ["TURNOUT_TOKEN"]
        self.location = None

    def _request(self, method, url, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/sdp"}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        return urllib.request.urlopen(request, timeout=10)

    def offer(self, sdp):
        """Returns the answer."""
        with self._request("POST", self.url, sdp.encode()) as response:
            assert response.status == 201, response.status
            assert response.headers["ETag"], "no ETag"
            self.location = urllib.parse.urljoin(self.url, response.headers["Location"])
            return response.read().decode()

    def end(self):
        with self._request("DELETE", self.location) as response:
            say(deleted=response.status)


def until_told():
    """Returns when the test closes our standard input."""
    sys.stdin.read()
