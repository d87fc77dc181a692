import { mkdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { StatusDocument } from '../../src/telemetry/status-schema.ts'
import { browse, chromiumPath, VIEWS } from './chromium.ts'
import { DEGRADED, hostile, READY, REFUSED, STARTING } from './documents.ts'
import { serveStatus } from './served.ts'

const chromium = chromiumPath() ?? ''
const STATES = { ready: READY, degraded: DEGRADED, refused: REFUSED, starting: STARTING }
/** Where `npm run test:browser` leaves what it saw; the ones in docs/images are copies. */
const SCREENSHOTS = 'coverage/screenshots'

const Violations = z.object({
  violations: z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) })),
})

/** What axe finds wrong, each with the first element that shows it. */
async function barriers(page: Page): Promise<(readonly [string, string | undefined])[]> {
  const source = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'))
  await page.evaluate(await readFile(source, 'utf8'))
  const { violations } = Violations.parse(await page.evaluate('axe.run()'))
  return violations.map(({ id, nodes }) => [id, nodes[0]?.html])
}

/** The page of a document, with all that the browser complained of and asked for. */
async function visit(
  document: StatusDocument,
  view: (typeof VIEWS)[keyof typeof VIEWS],
  look: (page: Page, seen: { complaints: string[]; requests: string[] }) => Promise<void>,
): Promise<void> {
  await using server = await serveStatus(document)
  await using browser = await browse(chromium, view)
  const page = await browser.context.newPage()
  const seen: { complaints: string[]; requests: string[] } = { complaints: [], requests: [] }
  page.on('console', (message) => seen.complaints.push(message.text()))
  page.on('pageerror', (error) => seen.complaints.push(error.message))
  page.on('dialog', (dialog) => {
    seen.complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => seen.requests.push(request.url()))
  await page.goto(`${server.origin}/status`)
  await look(page, seen)
}

describe.skipIf(chromium === '')('the status page in a browser', () => {
  for (const [state, document] of Object.entries(STATES)) {
    test.each(Object.entries(VIEWS))(
      `of a sidecar that is ${state} is sound in the %s view`,
      async (name, view) => {
        await visit(document, view, async (page, { complaints, requests }) => {
          expect(await barriers(page)).toEqual([])
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
            view.width,
          )
          expect(complaints).toEqual([])
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

  test('shows the settings only when they are opened, and is sound then, too', async () => {
    await visit(REFUSED, VIEWS.phone, async (page) => {
      const setting = page.getByText('WIMDS_IDENTITY_HEADER')
      expect(await setting.isVisible()).toBe(false)
      await page.getByText('settings in force').click()
      expect(await setting.isVisible()).toBe(true)
      expect(await barriers(page)).toEqual([])
    })
  })

  test('can be used with the keyboard alone', async () => {
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

  test('shows hostile names as text and runs nothing of them', async () => {
    await visit(hostile(), VIEWS.light, async (page, { complaints, requests }) => {
      expect(await page.locator('script, img, svg[onload], b').count()).toBe(0)
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain(
        '<script>alert(2)</script>',
      )
      expect(complaints).toEqual([])
      expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([page.url()])
    })
  })

  test('has a policy that stops what escaping might ever let through', async () => {
    await visit(READY, VIEWS.light, async (page, { complaints }) => {
      const ran = await page.evaluate(`
        const script = document.createElement('script')
        script.textContent = 'globalThis.ran = true'
        document.body.append(script)
        'ran' in globalThis
      `)
      expect(ran).toBe(false)
      expect(complaints.join()).toMatch(/Content Security Policy/)
    })
  })
})
