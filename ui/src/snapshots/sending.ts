/** A `fetch` for one large file that tells how many of its bytes have gone out, which a browser's own does not. The rest of the
 * request is as the API client made it. */
export function sending(file: File, onSent: (bytes: number) => void): typeof fetch {
  return (input) =>
    new Promise((resolve, reject) => {
      const made = input as Request
      const xhr = new XMLHttpRequest()
      xhr.open(made.method, made.url)
      made.headers.forEach((value, name) => xhr.setRequestHeader(name, value))
      xhr.upload.onprogress = ({ loaded }) => onSent(loaded)
      xhr.onload = () => resolve(new Response(xhr.responseText, { status: xhr.status, headers: { 'Content-Type': xhr.getResponseHeader('Content-Type') ?? '' } }))
      xhr.onerror = () => reject(new TypeError('The connection was lost.'))
      xhr.onabort = () => reject(made.signal.reason)
      made.signal.addEventListener('abort', () => xhr.abort())
      xhr.send(file)
    })
}
