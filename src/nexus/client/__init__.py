"""The typed client of the public API.

`Client(Transport(url=…, token=…))` speaks plain HTTP, one method per endpoint; `sessions` opens shells and commands in
a guest over WebSockets. What comes back is a model of `models`; what goes wrong is one of `errors`. A test holds every
method and model against the manager's OpenAPI description.
"""
