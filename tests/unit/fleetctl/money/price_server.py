"""A price list on loopback: pages of items, as Azure sends them."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit


def item(size: str, usd: float, **changes) -> dict:
    """One line of the list: a Linux spot machine in East US."""
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0,
        "retailPrice": usd,
        "unitPrice": usd,
        "armRegionName": "eastus",
        "location": "US East",
        "effectiveStartDate": "2024-08-01T00:00:00Z",
        "meterName": "X Spot",
        "productName": "Virtual Machines X Series",
        "skuName": "X Spot",
        "serviceName": "Virtual Machines",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "armSkuName": size,
    } | changes


class PriceServer:
    """What it is asked, and what it answers."""

    def __init__(self) -> None:
        self.pages: list[list[dict]] = [[]]
        self.status = 200
        self.next_host = ""
        self.filters: list[str] = []
        self.url = ""

    def answer(self, query: dict[str, list[str]]) -> dict:
        self.filters += query.get("$filter", [])
        number = int(query.get("page", ["0"])[0])
        more = number + 1 < len(self.pages)
        link = f"{self.next_host or self.url}?page={number + 1}" if more else None
        return {"BillingCurrency": "USD", "Items": self.pages[number], "NextPageLink": link}


@contextmanager
def serve_prices():
    prices = PriceServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(prices.answer(parse_qs(urlsplit(self.path).query))).encode()
            self.send_response(prices.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    prices.url = f"http://127.0.0.1:{server.server_port}/api/retail/prices"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield prices
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
