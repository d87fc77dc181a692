import { expect, test } from 'vitest'
import { ALLOWED_PREFIXES } from '../../src/broker/metadata/pass-through.ts'
import { readPage } from './pages.ts'

test('the page lists every path that can be forwarded, and no other', () => {
  const [, section = ''] = readPage('docs/configuration.md').split('\n## Pass-through\n')
  const list = /^- .*?\n\n/ms.exec(section)?.[0] ?? ''
  let folder = ''
  const listed = [...list.matchAll(/`([^`]+)`/g)].map(([, path = '']) => {
    if (!path.startsWith('…')) folder = path.replace(/\/[^/]*$/, '')
    return path.replace('…', folder).toLowerCase()
  })
  expect(listed.toSorted()).toEqual(ALLOWED_PREFIXES.toSorted())
})
