/** The address of one of this server's WebSockets. */
export const socketUrl = (path: string) => `${location.origin.replace(/^http/, 'ws')}${path}`

/** Closes and hears nothing more, not even that. One still being connected is let connect first: browsers complain otherwise. */
export function closeSocket(socket: WebSocket) {
  socket.onmessage = socket.onclose = null
  if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close()
  else socket.close()
}
