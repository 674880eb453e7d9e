"""The typed client of the public API.

`Client(url, token=…)` speaks plain HTTP, one method per endpoint; `sessions` opens shells and commands in a guest over
WebSockets. What comes back is a model of `models`; what goes wrong is one of `errors`. The module `contract` says
which endpoint and fields each method uses, and a test holds that against the manager's OpenAPI document.
"""
