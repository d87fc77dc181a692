import { mkdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createStatusRoutes } from '../../src/broker/status-page/routes.ts'
import type { StatusDocument } from '../../src/broker/telemetry/status-schema.ts'
import { observe, observeBusy } from '../broker/telemetry/observed.ts'
import { openAdminPort } from '../fixtures/admin.ts'
import { aStatus } from '../fixtures/status.ts'
import { chromiumPath, launchBrowser, VIEWS } from './chromium.ts'

const chromium = chromiumPath() ?? ''
let browser: Browser
beforeAll(async () => {
  if (chromium !== '') browser = await launchBrowser(chromium)
})
afterAll(() => browser?.close())

const LONG = `the file /etc/wimds/${'x'.repeat(400)} cannot be read`
const READY = aStatus()
const BUSY = {
  ...observeBusy().document([]),
  workload: READY.workload,
  identities: ['orders', 'billing'].flatMap((name) =>
    READY.identities.map((each) => ({ ...each, name, isDefault: name === 'orders' })),
  ),
  warnings: [LONG],
}
const starting = observe()
starting.assertions.clear()
const STARTING = { ...starting.document([]), workload: READY.workload }
const FAILING = { ...BUSY, state: 'failing' as const }
const STATES: Readonly<Record<StatusDocument['state'], StatusDocument>> = {
  ready: READY,
  degraded: { ...BUSY, state: 'degraded' },
  failing: FAILING,
  starting: STARTING,
}
/** Where `npm run test:browser` puts its screenshots; docs/images has the upper parts of earlier ones. */
const SCREENSHOTS = 'coverage/screenshots'

const Violations = z.object({
  violations: z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) })),
})

/** Returns the accessibility violations that the script axe finds. Each has the first element that it concerns. */
async function findViolations(page: Page): Promise<(readonly [string, string | undefined])[]> {
  const source = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'))
  await page.evaluate(await readFile(source, 'utf8'))
  const { violations } = Violations.parse(await page.evaluate('axe.run()'))
  return violations.map(({ id, nodes }) => [id, nodes[0]?.html])
}

interface Seen {
  readonly messages: string[]
  /** The requested URLs, without `data:` URLs. */
  readonly requests: string[]
  /** Replaces the document. */
  readonly change: (next: StatusDocument) => void
}

/** Opens the page of a document in a browser without scripts, and collects its console messages and requests. */
async function visit(
  document: StatusDocument,
  view: BrowserContextOptions,
  check: (page: Page, seen: Seen) => Promise<void>,
): Promise<void> {
  let current = document
  await using server = await openAdminPort({
    readiness: () => ({ ready: true }),
    scrape: () => Promise.resolve(''),
    loopbackRoutes: createStatusRoutes(() => current),
  })
  await using context = await browser.newContext({ javaScriptEnabled: false, ...view })
  const page = await context.newPage()
  const seen: Seen = { messages: [], requests: [], change: (next) => (current = next) }
  page.on('console', (message) => seen.messages.push(message.text()))
  page.on('pageerror', (error) => seen.messages.push(error.message))
  page.on('dialog', (dialog) => {
    seen.messages.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (!request.url().startsWith('data:')) seen.requests.push(request.url())
  })
  await page.goto(`http://localhost:${server.port}/status`)
  await check(page, seen)
}

describe.skipIf(chromium === '')('the status page in a browser', () => {
  test.each(
    Object.entries(STATES).flatMap(([state, document]) =>
      Object.entries(VIEWS).map(([name, view]) => ({ state, name, document, view })),
    ),
  )(
    'is accessible and loads nothing else in state $state, $name view',
    async ({ state, name, document, view }) => {
      await visit(
        document,
        { ...view, javaScriptEnabled: true },
        async (page, { messages, requests }) => {
          expect(await page.locator('script').count()).toBe(0)
          await mkdir(SCREENSHOTS, { recursive: true })
          await page.screenshot({
            path: `${SCREENSHOTS}/status-${state}-${name}.png`,
            fullPage: true,
          })
          const { width } = view.viewport
          expect(await findViolations(page)).toEqual([])
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
            width,
          )
          expect(messages).toEqual([])
          expect(new Set(requests)).toEqual(new Set([page.url()]))
        },
      )
    },
  )

  test('folds the lists on a phone', async () => {
    await visit(FAILING, VIEWS.phone, async (page) => {
      const list = page.locator('#tokens table')
      expect(await list.isVisible()).toBe(false)
      await page.locator('#tokens summary').click()
      expect(await list.isVisible()).toBe(true)
    })
  })

  test('escapes hostile names', async () => {
    const attack = `"'><img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>&lt;b&gt;`
    const hostile: StatusDocument = JSON.parse(
      JSON.stringify(FAILING, (_, value: unknown) =>
        typeof value !== 'string' || /^\d{4}-\d\d-\d\dT/.test(value) || value === 'failing'
          ? value
          : attack,
      ),
    )
    await visit(hostile, VIEWS.light, async (page, { messages, requests }) => {
      expect(await page.locator('script, img, svg[onload], b').count()).toBe(0)
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain(
        '<script>alert(2)</script>',
      )
      expect(messages).toEqual([])
      expect(new Set(requests)).toEqual(new Set([page.url()]))
    })
  })

  test('blocks injected scripts by its Content-Security-Policy', async () => {
    const view = { ...VIEWS.light, javaScriptEnabled: true }
    await visit(READY, view, async (page, { messages }) => {
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

  test('shows a new state by itself once it is told to reload every ten seconds', async () => {
    await visit(READY, VIEWS.light, async (page, { change, requests }) => {
      await page.getByRole('link', { name: 'every 10 s' }).click()
      await page.waitForURL(/status\?refresh$/)
      change(FAILING)
      await page.getByText('Failing: no token').waitFor()
      expect(await page.title()).toMatch(/^Failing: no token/)
      // The browser sends a request for the visit, for the click and for each reload.
      expect(requests.length).toBeGreaterThan(2)
      expect(new Set(requests.slice(1))).toEqual(new Set([page.url()]))
      await page.getByRole('link', { name: 'once' }).click()
      await page.waitForURL(/status$/)
    })
  })
})
