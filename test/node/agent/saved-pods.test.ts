import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SavedPods } from '../../../src/node/agent/saved-pods.ts'
import { routedPod } from './pods.ts'
import { createFolder } from '../../fixtures/folder.ts'

function setUp() {
  const folder = createFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  return { directory: folder.file('wimds') }
}

const podWith = (uid: string) => routedPod({ uid })

test('does not touch the file that another agent of the node is writing', () => {
  const { directory } = setUp()
  // As both agents of an upgrade have process identifier 1 in their containers.
  mkdirSync(join(directory, `a.json.${process.pid}`), { recursive: true })
  const saved = new SavedPods(directory)
  saved.write(podWith('a'))
  expect(saved.read()).toEqual([podWith('a')])
  // The variables of a gate may have secrets.
  expect(statSync(join(directory, 'a.json')).mode & 0o777).toBe(0o600)
})

test('reads nothing where no agent has been, and skips what no agent has written', () => {
  const { directory } = setUp()
  const saved = new SavedPods(directory)
  expect(saved.read()).toEqual([])
  saved.write(podWith('a'))
  writeFileSync(join(directory, 'half.json'), '{"uid":"half"')
  writeFileSync(join(directory, 'other.json'), '{"uid":"other"}')
  mkdirSync(join(directory, 'directory.json'))
  writeFileSync(join(directory, 'b.json.42'), JSON.stringify(podWith('b')))
  expect(saved.read()).toEqual([podWith('a')])
})

test('names a directory that cannot be created', () => {
  // Node's recursive mkdir never returns there.
  expect(() => new SavedPods('/proc/wimds/state').write(podWith('a'))).toThrow(
    'cannot create /proc/wimds/state: ',
  )
})
