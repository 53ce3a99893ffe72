"""A fleet file that is right: tests spoil it, or change it while a controller runs."""

GOOD = """name = "uk"
kind = "azure"
location = "westeurope"
[storage]
queue_url = "https://a.queue.core.windows.net"
blob_url = "https://a.blob.core.windows.net"
container = "tilefleet"
[azure]
subscription = "00000000-0000-0000-0000-000000000000"
resource_group = "uk"
[budget]
usd = 250
[[pools]]
name = "a10"
region = "westeurope"
size = "Standard_NV36ads_A10_v5"
image = "Canonical:ubuntu-24_04-lts:server:latest"
subnet = "/subscriptions/s/resourceGroups/uk/providers/Microsoft.Network/virtualNetworks/v/subnets/w"
max = 9
"""
