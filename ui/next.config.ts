import type { NextConfig } from 'next'

// The product is the export: files that the manager serves itself, so nothing here may need Node at run time (no redirects,
// headers or route handlers). In development `dev.mjs` stands before these pages, and `.dev.tsx` are pages too.
const config: NextConfig = {
  ...(process.env.NODE_ENV === 'development' ? { pageExtensions: ['dev.tsx', 'tsx'] } : { output: 'export' as const }),
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
