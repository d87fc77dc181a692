/** Generates requests from valid and invalid parts, and knows which of them must get a token. */
import * as fc from 'fast-check'

/** True if the request must get a token, false if it must not; undefined: either is correct. */
type Verdict = 'valid' | 'invalid' | undefined

interface Part {
  readonly text: string
  readonly verdict: Verdict
}

/** A request and its verdict. */
export interface FuzzedRequest {
  readonly bytes: string
  readonly verdict: Verdict
}

const QUERY = 'api-version=2018-02-01&resource=https://vault.azure.net'
const PATH = '/metadata/identity/oauth2/token'
const TARGET = `${PATH}?${QUERY}`

/** Creates a part of a request from valid texts, invalid texts and texts of which either is correct. */
function part(valid: string[], invalid: string[], open: string[] = []): fc.Arbitrary<Part> {
  const of = (texts: string[], verdict: Verdict) =>
    fc.constantFrom(...texts).map((text): Part => ({ text, verdict }))
  return fc.oneof(
    { arbitrary: of(valid, 'valid'), weight: 8 },
    { arbitrary: of(invalid, 'invalid'), weight: 1 },
    ...(open.length > 0 ? [{ arbitrary: of(open, undefined), weight: 1 }] : []),
  )
}

const METHODS = 'POST PUT HEAD OPTIONS TRACE CONNECT get G\0ET PRI M-SEARCH \x16'.split(' ')
const method = part(['GET'], ['', ...METHODS])

const target = part(
  [
    TARGET,
    TARGET.replace('?', '/?'),
    TARGET.replace('/metadata', '/METADATA'),
    `${TARGET}&client_id=44444444-4444-4444-8444-444444444444`,
    `${PATH}?RESOURCE=https%3A%2F%2Fvault.azure.net%2F&API-VERSION=2999-12-31`,
  ],
  [
    `http://evil.example${TARGET}`,
    `http://169.254.169.254@evil.example${TARGET}`,
    PATH,
    `${PATH}?resource=https://vault.azure.net`,
    `${TARGET}&resource=x`,
    `${TARGET}&x=%zz`,
    TARGET.replace('/oauth2', '/../oauth2'),
    TARGET.replace('/oauth2', '%2foauth2'),
    `${PATH}/..;/?${QUERY}`,
    `${TARGET}&pad=${'x'.repeat(20_000)}`,
    `/nowhere?${QUERY}`,
  ],
  [`${TARGET}#fragment`, `${TARGET}&\xff\xfe`, '/metadata/instance?api-version=2021-02-01'],
)

const host = part(
  ['Host: 169.254.169.254', 'host:localhost:80', 'HOST: [::1]:8000', 'Host: 127.0.0.9'],
  [
    'Host: evil.example',
    'Host: localhost@evil.example',
    'Host: 169.254.169.254\r\nHost: evil.example',
    'Host : localhost',
    'Host:',
  ],
  ['X-No-Host: 1'],
)

const metadata = part(
  ['Metadata: true', 'metadata:TRUE', 'METADATA: \t true \t'],
  [
    'Metadata: false',
    'Metadata: true, true',
    'Metadata: true\r\nMetadata: true',
    'Metadata:\r\n true',
    'Metadata: tru\0e',
    'Metadata',
  ],
)

const more = part(
  [
    'Accept: */*',
    'Expect: 100-continue',
    'Cookie: \xff\xfe\x80',
    '__proto__: x\r\nconstructor: y',
    `X-Pad: ${'x'.repeat(8000)}`,
    'a:\r\n'.repeat(100) + 'b: c',
  ],
  [
    'X-Forwarded-For: 10.0.0.1',
    'Content-Length: 3\r\nContent-Length: 4',
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Bad-Value: \x00',
    'X-Pad: ' + 'x'.repeat(20_000),
    'a:\r\n'.repeat(200) + 'b: c',
  ],
  [
    // Bytes after an upgrade may belong to the other protocol.
    'Connection: keep-alive, Upgrade\r\nUpgrade: websocket',
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
    'Transfer-Encoding: gzip',
    'Transfer-Encoding: chunked, chunked',
    'Content-Length: 7',
    'Connection: close',
  ],
)

/** The body; without a length its bytes are the next request. */
const body = fc.oneof(
  { arbitrary: fc.constant({ head: '', text: '', verdict: 'valid' } as const), weight: 6 },
  {
    arbitrary: fc
      .constantFrom(
        '5\r\nhello\r\n0\r\n\r\n',
        '5;name="value"\r\nhello\r\n0\r\nTrailer: x\r\n\r\n',
        'ffffffffffffffffff\r\n',
        '5\nhello\n0\n\n',
        '5\r\nhelloworld\r\n0\r\n\r\n',
        '',
      )
      .map((text) => ({
        head: 'Transfer-Encoding: chunked\r\n',
        text,
        verdict: undefined,
      })),
    weight: 1,
  },
)

/** Generates a request. */
export const fuzzedRequest: fc.Arbitrary<FuzzedRequest> = fc
  .record({ method, target, host, metadata, more, body })
  .map(({ body: { head, text, verdict }, ...parts }) => {
    const { method: verb, target: uri, ...headers } = parts
    const lines = Object.values(headers).map((header) => header.text)
    return {
      bytes: `${verb.text} ${uri.text} HTTP/1.1\r\n${lines.join('\r\n')}\r\n${head}\r\n${text}`,
      verdict: combineVerdicts([verdict, ...Object.values(parts).map((each) => each.verdict)]),
    }
  })

function combineVerdicts(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('invalid')) return 'invalid'
  return verdicts.includes(undefined) ? undefined : 'valid'
}
