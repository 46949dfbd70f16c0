"""Gets a page and a large file by turns with one of Python's HTTP clients: clients.py CLIENT URL TIMES"""

import http.client
import sys
import time
import urllib.parse
import urllib.request


def by_http_client(url):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    answered = time.monotonic()

    def get(path):
        nonlocal answered
        # The others look for themselves: a server may close what has been idle for a while.
        if time.monotonic() - answered > 0.05:
            connection.close()
        # It reconnects by itself when the last response said that the connection ends.
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        answered = time.monotonic()
        return response.status, body

    return get


def by_urllib(url):
    def get(path):
        with urllib.request.urlopen(urllib.parse.urljoin(url, path)) as response:
            return response.status, response.read()

    return get


def by_requests(url):
    import requests

    session = requests.Session()
    session.trust_env = False

    def get(path):
        response = session.get(urllib.parse.urljoin(url, path))
        return response.status_code, response.content

    return get


def by_httpx(url):
    import httpx

    client = httpx.Client(trust_env=False)

    def get(path):
        response = client.get(urllib.parse.urljoin(url, path))
        return response.status_code, response.content

    return get


CLIENTS = {"http.client": by_http_client, "urllib": by_urllib, "requests": by_requests, "httpx": by_httpx}
PAGES = [("/", b"hello"), ("/", b"hello"), ("/large", b"x" * 1_500_000)]

name, url, times = sys.argv[1:]
get = CLIENTS[name](url)
for number in range(int(times)):
    path, content = PAGES[number % len(PAGES)]
    status, body = get(path)
    assert (status, body) == (200, content), (number, path, status, len(body))
print(f"{name}: {times} right")
