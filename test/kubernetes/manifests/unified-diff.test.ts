/** File names in a diff, as patch(1) and git read them. */
import { expect, test } from 'vitest'
import { unifiedDiff } from '../../../src/kubernetes/manifests/unified-diff.ts'

const edits = [{ start: 0, end: 1, text: 'b' }]

test.each([
  ['as it is', 'dir/pod.yaml', 'dir/pod.yaml'],
  ['with a tab behind blanks', 'my pod.yaml', 'my pod.yaml\t'],
  ['quoted with a tab in it', 'my\tpod.yaml', '"my\\tpod.yaml"'],
  ['quoted with a line break in it', 'my\npod.yaml', '"my\\npod.yaml"'],
  ['quoted with a quote in it', 'my "pod".yaml', '"my \\"pod\\".yaml"'],
  ['quoted with a backslash in it', 'my\\pod.yaml', '"my\\\\pod.yaml"'],
])('a name is written %s', (_, name, written) => {
  expect(unifiedDiff(name, 'a\n', edits)).toBe(
    `--- ${written}\n+++ ${written}\n@@ -1,1 +1,1 @@\n-a\n+b\n`,
  )
})
