const LETTERS = 'abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789'
const LENGTH = 20

/** A password without letters that look alike; each is as likely as any other. */
export function generatedPassword() {
  const most = Math.floor(256 / LETTERS.length) * LETTERS.length
  let password = ''
  while (password.length < LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(32))) {
      if (byte < most && password.length < LENGTH) password += LETTERS[byte % LETTERS.length]
    }
  }
  return password
}
