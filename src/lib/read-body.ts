/** Reads bodies that other programs send, up to a maximum size. */

/** Returns the whole body as UTF-8. Throws the error of `createError` once it exceeds `maxBytes`. */
export async function readBody(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number,
  createError: () => Error,
): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBytes) throw createError()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
