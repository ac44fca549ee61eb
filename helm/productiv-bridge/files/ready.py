"""Asks each pod behind a name whether it is ready, and says what keeps it from its work."""

import http.client
import json
import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])
well = True
for address in sorted({found[4][0] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}):
    pod = http.client.HTTPConnection(address, port, timeout=10)
    pod.request("GET", "/readyz")
    told = json.loads(pod.getresponse().read())
    well = well and told["ready"]
    print(f"{address}: {'ready' if told['ready'] else '; '.join(told['reasons'])}")
sys.exit(0 if well else 1)
