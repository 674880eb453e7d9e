import type { NextConfig } from 'next'

// In development Next serves the pages and passes the API on to a running manager. The product is the export: files
// that the manager serves itself, so nothing here may need Node at run time (no redirects, headers or route handlers).
const manager = process.env.MANAGER_URL ?? 'http://127.0.0.1:18080'
const passedOn = ['/v1/:path*', '/health/:path*', '/openapi.json', '/swagger-ui/:path*']

const config: NextConfig = {
  ...(process.env.NODE_ENV === 'development'
    ? { pageExtensions: ['dev.tsx', 'tsx'], rewrites: async () => passedOn.map((source) => ({ source, destination: `${manager}${source}` })) }
    : { output: 'export' as const }),
  trailingSlash: false,
  images: { unoptimized: true },
  reactStrictMode: true,
  poweredByHeader: false,
  // another id makes an open tab load the new version whole, instead of asking for files that are gone
  generateBuildId: async () => process.env.BUILD_ID ?? 'dev',
  experimental: { optimizePackageImports: ['radix-ui', 'lucide-react'] },
  eslint: { ignoreDuringBuilds: true },
}

export default config
