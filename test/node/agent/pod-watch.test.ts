/** The watch against an API server of this test, over a real connection. */
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { connectToApiServer } from '../../../src/kubernetes/api-client.ts'
import { watchPods } from '../../../src/node/agent/pod-watch.ts'
import { startApiServer } from '../../fixtures/api-server.ts'
import { nodeModePod } from './pods.ts'

const LIST = 'GET /api/v1/pods'
const WATCH = 'GET /api/v1/pods?watch'

type Answer = (response: ServerResponse) => void

let stop: AbortController
beforeEach(() => {
  stop = new AbortController()
})
afterEach(() => stop.abort())

interface Answers {
  readonly lists: Answer[]
  readonly watches: Answer[]
  readonly idleMs?: number
}

/** Answers lists and watches in turn. Without an answer left, a watch stays open. */
async function setUp({ lists, watches, idleMs }: Answers) {
  const queries: URLSearchParams[] = []
  const answerNext = (answers: Answer[]) => (response: ServerResponse) => {
    queries.push(new URL(`http://x${response.req.url}`).searchParams)
    answers.shift()?.(response)
  }
  const server = await startApiServer({
    [LIST]: answerNext(lists),
    [WATCH]: answerNext(watches),
  })
  onTestFinished(() => server[Symbol.asyncDispose]())
  const events: string[] = []
  const errors: unknown[] = []
  const ended = watchPods({
    api: connectToApiServer(stop.signal),
    nodeName: 'node-1',
    signal: stop.signal,
    ...(idleMs !== undefined && { idleMs }),
    onPod: (uid) => events.push(`pod ${uid}`),
    onDeleted: (uid) => events.push(`deleted ${uid}`),
    onTooLarge: ({ uid, namespace, name }) => events.push(`too large ${uid} ${namespace}/${name}`),
    onListed: (uids) => events.push(`listed ${[...uids].join(',')}`),
    onError: (error) => errors.push(error),
  })
  const seen = (expected: readonly string[]) =>
    vi.waitFor(() => expect(events).toEqual(expected), { timeout: 60_000 })
  return { events, queries, errors, ended, seen, countLists: () => server.calls(LIST) }
}

const list =
  (uids: readonly string[], metadata: object = {}): Answer =>
  (response) =>
    response.end(
      JSON.stringify({
        metadata: { resourceVersion: '7', ...metadata },
        items: uids.map((uid) => nodeModePod({ uid })),
      }),
    )

function changed(type: string, uid: string, resourceVersion?: string): string {
  const pod = nodeModePod({ uid })
  const object = { ...pod, metadata: { ...pod.metadata, resourceVersion } }
  return `${JSON.stringify({ type, object })}\n`
}

const formatPod = (uid: string) => JSON.stringify(nodeModePod({ uid, name: `{"}\\"${uid}é` }))

const [head, tail] = ['{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[', ']}']

test('a list is parsed while it arrives, one pod after the other, also in pieces of one byte', async () => {
  let response: ServerResponse | undefined
  const { seen, errors } = await setUp({
    lists: [
      (opened) => {
        response = opened
        for (const byte of Buffer.from(`${head}${formatPod('a')},`)) opened.write(Buffer.of(byte))
      },
    ],
    watches: [],
  })
  await seen(['pod a'])
  response?.end(`${formatPod('b')}${tail}`)
  await seen(['pod a', 'pod b', 'listed a,b'])
  expect(errors).toEqual([])
})

test('a pod above 4 MiB is named and skipped, in a list and in a watch, until it is deleted', async () => {
  // As the API server writes 750 000 times <, which it stores in a byte each.
  const value = String.raw`\u003c`.repeat(750_000)
  const names = { name: 'fat-1', generateName: 'fat-', namespace: 'shop' }
  const metadata = { ...names, uid: 'fat', resourceVersion: '6' }
  const pod = { kind: 'Pod', apiVersion: 'v1', metadata, spec: { containers: [{ env: 'VALUE' }] } }
  const object = JSON.stringify(pod).replace('VALUE', value)
  const send = (type: string) => `{"type":"${type}","object":${object}}\n`
  const { seen, errors } = await setUp({
    lists: [(response) => response.end(`${head}${object},${formatPod('a')}${tail}`)],
    watches: [
      (response) => {
        for (const text of [send('ADDED'), changed('ADDED', 'b'), send('DELETED')]) {
          response.write(text)
        }
      },
    ],
  })
  const fat = 'too large fat shop/fat-1'
  await seen([fat, 'pod a', 'listed fat,a', fat, 'pod b', 'deleted fat'])
  expect(errors).toEqual([])
})

test('a pod without a gate is not parsed, in a list and in a watch, which goes on from it', async () => {
  const metadata = { name: 'plain', namespace: 'shop', uid: 'plain', resourceVersion: '8' }
  // Its variables are no JSON.
  const plain = JSON.stringify({ metadata, spec: { env: ['VALUE'] } }).replace('"VALUE"', 'a, b')
  const { queries, seen, errors } = await setUp({
    lists: [
      (response) => {
        const pods = [formatPod('a'), plain, formatPod('b')]
        response.end(`{"metadata":{"resourceVersion":"7"},"items":[${pods.join()}]}`)
      },
    ],
    watches: [
      (response) => response.end(`{"type":"MODIFIED","object":${plain}}\n`),
      (response) => response.write(changed('ADDED', 'c')),
    ],
  })
  await seen(['pod a', 'pod b', 'listed a,plain,b', 'pod c'])
  expect(queries.map((query) => query.get('resourceVersion'))).toEqual(['0', '7', '8'])
  expect(errors).toEqual([])
})

const bookmark = (resourceVersion: string) => {
  const object = { kind: 'Pod', metadata: { resourceVersion, creationTimestamp: null } }
  return `${JSON.stringify({ type: 'BOOKMARK', object })}\n`
}

test('watches on from the last bookmark or event when the watch ends, without another list', async () => {
  const { queries, seen, errors } = await setUp({
    lists: [list(['a'])],
    watches: [
      (response) => response.end(changed('ADDED', 'b', '8') + bookmark('9')),
      (response) => response.end(changed('ADDED', 'c', '10')),
      (response) => response.write(changed('ADDED', 'd')),
    ],
  })
  await seen(['pod a', 'listed a', 'pod b', 'pod c', 'pod d'])
  const field = (name: string) => queries.map((query) => query.get(name))
  expect(field('allowWatchBookmarks')).toEqual([null, 'true', 'true', 'true'])
  expect(field('resourceVersion')).toEqual(['0', '7', '9', '10'])
  expect(errors).toEqual([])
})

test.each<[string, Answer]>([
  ['after its headers', (response) => response.flushHeaders()],
  ['before its headers', () => {}],
])('watches again, without an error, when the watch is silent %s', async (_, silence) => {
  // The connection of a slow machine may be silent for so long, too.
  const more = Array<Answer>(600).fill((response) => response.write(changed('ADDED', 'b')))
  const watching = { lists: [list(['a'])], watches: [silence, ...more], idleMs: 100 }
  const { events, errors, countLists } = await setUp(watching)
  await vi.waitFor(() => expect(events).toContain('pod b'), { timeout: 60_000 })
  expect(errors).toEqual([])
  expect(countLists()).toBe(1)
})

const status = (code: number): Answer => {
  const object = { kind: 'Status', status: 'Failure', message: 'too old resource version', code }
  return (response) => response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`)
}

test.each<[string, Answer]>([
  ['reports an error of the server', status(500)],
  ['sends garbage', (response) => response.end('<html>\n')],
])('lists again when the watch %s', async (_, watch) => {
  const { seen, errors, countLists } = await setUp({
    lists: [list(['a']), list(['b'])],
    watches: [watch],
  })
  await seen(['pod a', 'listed a', 'pod b', 'listed b'])
  expect(countLists()).toBe(2)
  expect(errors).toHaveLength(1)
})

test('lists again, and nothing older than the last event, when the connection breaks', async () => {
  const { queries, seen } = await setUp({
    lists: [list(['a']), list(['b'])],
    watches: [
      (response) =>
        response.write(changed('ADDED', 'b', '21') + changed('DELETED', 'a', '22'), () =>
          response.destroy(),
        ),
    ],
  })
  await seen(['pod a', 'listed a', 'pod b', 'deleted a', 'pod b', 'listed b'])
  // With a limit the API server would read etcd.
  expect(Object.fromEntries(queries[2] ?? [])).toEqual({
    fieldSelector: 'spec.nodeName=node-1',
    resourceVersion: '22',
    resourceVersionMatch: 'NotOlderThan',
  })
})

const listedVersions = (queries: readonly URLSearchParams[]) =>
  queries.filter((query) => !query.has('watch')).map((query) => query.get('resourceVersion'))

const tooOld = status(410)
const endWatch: Answer = (response) => response.end()
const sendEvent: Answer = (response) => {
  response.write(changed('ADDED', 'b', '8'))
  tooOld(response)
}
const ANSWERED_410 = 'cannot watch the pods of the node node-1: the API server answered 410'

describe('when the API server no longer has the version of the watch', () => {
  test.each<[string, readonly Answer[], readonly (string | null)[], readonly string[]]>([
    ['lists again, without an error', [tooOld], ['0', '7'], []],
    [
      'reports it the second time, and lists the latest version',
      [tooOld, tooOld],
      ['0', '7', null],
      [ANSWERED_410],
    ],
    ['does not count an earlier one before an event', [tooOld, sendEvent], ['0', '7', '8'], []],
    [
      'does not count an earlier one before a watch that ended',
      [tooOld, endWatch, tooOld],
      ['0', '7', '7'],
      [],
    ],
  ])('%s', async (_, watches, versions, problems) => {
    const lists = [list(['a']), list(['a']), list(['a'])]
    const { queries, errors } = await setUp({ lists, watches: [...watches] })
    await vi.waitFor(() => expect(listedVersions(queries)).toEqual(versions), {
      timeout: 60_000,
    })
    expect(errors.map(String)).toEqual(problems.map((each) => expect.stringContaining(each)))
    const latest = queries.filter((query) => !query.has('resourceVersion'))
    expect(latest.filter((query) => query.has('resourceVersionMatch'))).toEqual([])
  })
})

test('lists the latest version when the API server repeatedly has no longer the version that was seen last', async () => {
  const { queries, seen } = await setUp({
    lists: [list(['a']), (response) => response.writeHead(504).end(), list(['b'])],
    watches: [(response) => response.destroy()],
  })
  await seen(['pod a', 'listed a', 'pod b', 'listed b'])
  expect(listedVersions(queries)).toEqual(['0', '7', null])
})

test.each<[string, Answer, string]>([
  ['an error', (response) => response.writeHead(503).end('busy'), 'the API server answered 503'],
  ['garbage', (response) => response.end('{}'), 'the answer is not a list of pods'],
  [
    'half an answer',
    (response) => response.end('{"metadata":{"resourceVersion":"7"},'),
    'incomplete',
  ],
  [
    'an object above 4 MiB that is no pod',
    (response) => response.end(`{"items":[{"a":"${'x'.repeat(5_000_000)}"}]}`),
    'too large',
  ],
])('tries again after %s of the API server', async (_, answer, message) => {
  const { seen, errors, countLists } = await setUp({ lists: [answer, list(['a'])], watches: [] })
  await seen(['pod a', 'listed a'])
  expect(String(errors[0])).toContain(message)
  expect(countLists()).toBe(2)
})
