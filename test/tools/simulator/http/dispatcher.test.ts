import { fetch } from 'undici'
import { expect, test } from 'vitest'
import { createLocalDispatcher } from '../../../../src/tools/simulator/http/dispatcher.ts'
import { serve } from '../../../../src/tools/simulator/http/serve.ts'

test('the local dispatcher connects known hosts and refuses others', async () => {
  await using running = await serve(async ({ url }) => new Response(url))
  const address = { host: '127.0.0.1', port: running.port }
  const dispatcher = createLocalDispatcher(new Map([['known.test', address]]))
  const response = await fetch('http://known.test/path?q=1', { dispatcher })
  expect(await response.text()).toBe('http://known.test/path?q=1')
  await expect(fetch('http://other.test/', { dispatcher })).rejects.toMatchObject({
    cause: { message: 'nothing listens at other.test' },
  })
  await dispatcher.destroy()
})
