import { defineConfig } from '@hey-api/openapi-ts'

// Made anew by every build from the description that `make check` holds against the manager's code, so it cannot drift.
export default defineConfig({
  input: '../docs/openapi/manager.json',
  output: { path: 'src/api', clean: true },
  plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk', '@tanstack/react-query'],
})
