// `npm run dev`: Next's pages with hot reload, and before them, on one port, what belongs to the manager. Next could pass
// that on itself, but as from another host, and the manager lets no WebSocket of another host's page in.
import { spawn } from 'node:child_process'
import { createServer, request } from 'node:http'
import { request as requestSecurely } from 'node:https'

const PORT = 3000
const PAGES = new URL('http://127.0.0.1:3001')
const MANAGER = new URL(process.env.MANAGER_URL ?? 'http://127.0.0.1:18080')
const IS_MANAGERS = /^\/(v1|health|swagger-ui|openapi\.json)(\/|\?|$)/

function passOn({ method, url, headers }) {
  const { protocol, hostname, port } = IS_MANAGERS.test(url) ? MANAGER : PAGES
  const ask = protocol === 'https:' ? requestSecurely : request
  return ask({ hostname: hostname.replace(/[[\]]/g, ''), port, method, path: url, headers })
}

const head = ({ statusCode, statusMessage, rawHeaders }) => {
  const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []))
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join('\r\n')}\r\n\r\n`
}

const server = createServer((asked, answer) => {
  const passed = passOn(asked)
  passed.on('response', (answered) => {
    answer.writeHead(answered.statusCode, answered.rawHeaders)
    answered.pipe(answer)
  })
  passed.on('error', (error) => {
    if (!answer.headersSent) answer.writeHead(502, { 'Content-Type': 'text/plain' })
    answer.end(`${error.message}\n`)
  })
  answer.on('close', () => passed.destroy())
  asked.pipe(passed)
})

server.on('upgrade', (asked, socket, first) => {
  const passed = passOn(asked)
  const end = () => socket.destroy()
  socket.on('error', () => passed.destroy())
  passed.on('error', end)
  passed.on('response', (refused) => {
    socket.write(head(refused))
    refused.pipe(socket)
  })
  passed.on('upgrade', (answered, wire, early) => {
    wire.on('error', end)
    socket.on('close', () => wire.destroy())
    wire.on('close', end)
    wire.write(first)
    socket.write(head(answered))
    socket.write(early)
    wire.pipe(socket)
    socket.pipe(wire)
  })
  passed.end()
})

const next = spawn(process.execPath, ['node_modules/next/dist/bin/next', 'dev', '-H', PAGES.hostname, '-p', PAGES.port], { stdio: 'inherit' })
next.on('exit', (code) => process.exit(code ?? 1))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => next.kill(signal))
server.listen(PORT, PAGES.hostname)
