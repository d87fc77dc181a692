import { mkdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { StatusDocument } from '../../src/telemetry/status-schema.ts'
import { browse, chromiumPath, VIEWS } from './chromium.ts'
import { DEGRADED, hostile, READY, FAILING, STARTING } from './documents.ts'
import { serveStatus } from './served.ts'

const chromium = chromiumPath() ?? ''
const STATES = { ready: READY, degraded: DEGRADED, failing: FAILING, starting: STARTING }
/** Where `npm run test:browser` puts its screenshots; those in docs/images are copies. */
const SCREENSHOTS = 'coverage/screenshots'

const Violations = z.object({
  violations: z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) })),
})

/** Returns the accessibility violations that axe finds, each with its first element. */
async function findViolations(page: Page): Promise<(readonly [string, string | undefined])[]> {
  const source = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'))
  await page.evaluate(await readFile(source, 'utf8'))
  const { violations } = Violations.parse(await page.evaluate('axe.run()'))
  return violations.map(({ id, nodes }) => [id, nodes[0]?.html])
}

/** Returns the words that are wrapped onto two lines; words end at white space and punctuation. */
async function findBrokenWords(page: Page): Promise<unknown> {
  return page.evaluate(`{
    const broken = []
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (texts.nextNode()) {
      const node = texts.currentNode
      for (const { index, 0: word } of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
        const range = document.createRange()
        range.setStart(node, index)
        range.setEnd(node, index + word.length)
        const lines = new Set([...range.getClientRects()].map(({ top }) => top))
        if (lines.size > 1) broken.push(word)
      }
    }
    broken
  }`)
}

/** Opens the page of a document, and collects console messages and requests of the browser. */
async function visit(
  document: StatusDocument,
  view: (typeof VIEWS)[keyof typeof VIEWS],
  check: (page: Page, seen: { messages: string[]; requests: string[] }) => Promise<void>,
): Promise<void> {
  await using server = await serveStatus(document)
  await using browser = await browse(chromium, view)
  const page = await browser.context.newPage()
  const seen: { messages: string[]; requests: string[] } = { messages: [], requests: [] }
  page.on('console', (message) => seen.messages.push(message.text()))
  page.on('pageerror', (error) => seen.messages.push(error.message))
  page.on('dialog', (dialog) => {
    seen.messages.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => seen.requests.push(request.url()))
  await page.goto(`${server.origin}/status`)
  await check(page, seen)
}

describe.skipIf(chromium === '')('the status page in a browser', () => {
  for (const [state, document] of Object.entries(STATES)) {
    test.each(Object.entries(VIEWS))(
      `is accessible and loads nothing else in state ${state}, %s view`,
      async (name, view) => {
        await visit(document, view, async (page, { messages, requests }) => {
          expect(await findViolations(page)).toEqual([])
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
            view.width,
          )
          expect(await findBrokenWords(page)).toEqual([])
          expect(messages).toEqual([])
          expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([page.url()])
          await mkdir(SCREENSHOTS, { recursive: true })
          await page.screenshot({
            path: `${SCREENSHOTS}/status-${state}-${name}.png`,
            fullPage: true,
          })
        })
      },
    )
  }

  test('shows the settings when they are opened, and stays accessible', async () => {
    await visit(FAILING, VIEWS.phone, async (page) => {
      const setting = page.getByText('WIMDS_IDENTITY_HEADER')
      expect(await setting.isVisible()).toBe(false)
      await page.getByText('settings in force').click()
      expect(await setting.isVisible()).toBe(true)
      expect(await findViolations(page)).toEqual([])
    })
  })

  test('works with the keyboard alone', async () => {
    await visit(READY, VIEWS.light, async (page) => {
      const focused = () => page.locator(':focus').textContent()
      await page.keyboard.press('Tab')
      expect(await focused()).toBe('Skip to the tokens')
      expect(await page.getByText('Skip to the tokens').isVisible()).toBe(true)
      await page.keyboard.press('Tab')
      expect(await focused()).toMatch(/settings in force/)
      await page.keyboard.press('Enter')
      expect(await page.getByText('WIMDS_LISTEN').isVisible()).toBe(true)
      await page.keyboard.press('Tab')
      expect(await focused()).toBe('Reload')
    })
  })

  test('escapes hostile names', async () => {
    await visit(hostile(), VIEWS.light, async (page, { messages, requests }) => {
      expect(await page.locator('script, img, svg[onload], b').count()).toBe(0)
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain(
        '<script>alert(2)</script>',
      )
      expect(messages).toEqual([])
      expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([page.url()])
    })
  })

  test('blocks injected scripts by its Content-Security-Policy', async () => {
    await visit(READY, VIEWS.light, async (page, { messages }) => {
      const ran = await page.evaluate(`
        const script = document.createElement('script')
        script.textContent = 'globalThis.ran = true'
        document.body.append(script)
        'ran' in globalThis
      `)
      expect(ran).toBe(false)
      expect(messages.join()).toMatch(/Content Security Policy/)
    })
  })
})
