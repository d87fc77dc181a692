/** The numbers of clients that pages quote are those of docs/compatibility.md, which the clients write. */
import { expect, test } from 'vitest'
import { readPage } from './pages.ts'

test.each<[page: string, quote: RegExp]>([
  ['README.md', /tests run (\d+) published SDKs/],
  ['README.md', /\[(\d+) clients\]\(docs.compatibility.md\)[^.]+: (\d+) combinations/],
  ['docs/support.md', /(\d+) clients in seven languages, [^[]+\[(\d+) combinations\]/],
])('%s quotes %s as docs/compatibility.md says', (page, quote) => {
  const [, ...quoted] = quote.exec(readPage(page)) ?? []
  const [, ...run] = /(\d+) clients in (\d+) rows/.exec(readPage('docs/compatibility.md')) ?? []
  expect(quoted).toEqual(run.slice(0, Math.max(1, quoted.length)))
})
