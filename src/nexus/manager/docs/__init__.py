"""The API's description: OpenAPI, and Swagger UI without a network."""
