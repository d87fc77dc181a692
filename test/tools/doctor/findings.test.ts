import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { DOCTOR_CODES, failed } from '../../../src/tools/doctor/findings.ts'
import { ERROR_KINDS, type ErrorCode } from '../../../src/lib/errors.ts'
import { docsPage } from '../../../src/lib/version.ts'

const isErrorCode = (name: string): name is ErrorCode => name in ERROR_KINDS
const CODES = [...Object.keys(ERROR_KINDS).filter(isErrorCode), ...DOCTOR_CODES]
const PAGE = await readFile(new URL('../../../docs/troubleshooting.md', import.meta.url), 'utf8')

test.each(CODES)('links %s to a heading of docs/troubleshooting.md', (code) => {
  const { failure } = failed({ code, problem: 'x' })
  const [, anchor] = /\/troubleshooting\.(?:html|md)#(.*)/.exec(failure?.url ?? '') ?? []
  expect(PAGE).toMatch(new RegExp(`^### ${anchor}$`, 'm'))
})

test('the page has no heading for a check that doctor does not make', () => {
  const [, checks = ''] = PAGE.split('\n## Checks of doctor\n')
  const headings = [...checks.matchAll(/^### (\w+)$/gm)].map(([, name]) => name)
  expect(new Set(headings)).toEqual(new Set(DOCTOR_CODES))
})

test('truncates a problem that has a text of the cluster', () => {
  const { failure } = failed({ code: 'kubectl_failed', problem: 'a word '.repeat(3000) })
  expect(failure?.problem.length).toBeLessThanOrEqual(2000)
})

test.each([
  ['AADSTS700024: Client assertion is not within its valid time range.', true],
  ['Entra ID rejects the projected token as not yet valid: the clock is 600 s behind', false],
])('explains the code only of a text of Entra ID: %s', (problem, isExplained) => {
  const entra = { aadsts: 700024 }
  const { failure } = failed({ code: 'assertion_not_yet_valid', problem, entra })
  expect(failure?.explanation !== undefined).toBe(isExplained)
  expect(failure?.aadsts).toBe(700024)
})

test('explains an internal issuer, and not the AADSTS code to which it leads', () => {
  const problem = 'AADSTS700211: No record. Entra ID cannot reach the issuer https://kubernetes'
  const { failure } = failed({ code: 'issuer_unreachable', problem, entra: { aadsts: 700211 } })
  expect(failure).not.toHaveProperty('explanation')
  expect(failure?.url).toBe(docsPage('troubleshooting', 'issuer_unreachable'))
})
