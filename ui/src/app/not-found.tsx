import Link from 'next/link'

export default function NotFound() {
  return (
    <main className="grid min-h-dvh place-items-center p-6 text-center">
      <div>
        <h1 className="text-2xl font-semibold">There is no such page</h1>
        <p className="mt-2">
          <Link href="/dashboard" className="text-accent underline">
            Go to the dashboard
          </Link>
        </p>
      </div>
    </main>
  )
}
