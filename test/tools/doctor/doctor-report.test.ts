/** A pod may print anything: a parsed report can be formatted, and the rest is no report. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createReport,
  type DoctorReport,
  parseReport,
} from '../../../src/tools/doctor/doctor-report.ts'
import { formatReport } from '../../../src/tools/doctor/format-report.ts'
import { fuzzRuns } from '../../fuzz/mutations.ts'

const REPORT: DoctorReport = {
  schemaVersion: 1,
  version: '9.9.9',
  ok: false,
  settings: [{ name: 'A', value: 'a', source: 'environment' }],
  checks: [
    {
      check: 'route',
      subject: 's',
      status: 'failed',
      reason: 'r',
      details: ['d'],
      warnings: ['w'],
      failure: {
        code: 'assertion_refused',
        problem: 'p',
        aadsts: 700016,
        explanation: 'e',
        fix: 'f',
        url: 'u',
      },
      commands: [{ purpose: 'p', command: 'c' }],
    },
  ],
}

/** Formats it as `doctor --pod` does, for people and as JSON. */
function format(inside: DoctorReport): string {
  const report = createReport({ pod: 'p', checks: [], inside })
  return formatReport(report, 'Pod p') + JSON.stringify(report)
}

test('keeps every member of a report', () => {
  expect(parseReport(JSON.stringify(REPORT))).toEqual(REPORT)
})

const NESTED = '['.repeat(100_000) + ']'.repeat(100_000)

test('leaves out what it does not know', () => {
  const text = JSON.stringify(REPORT).replace('"version"', `"deep":${NESTED},"version"`)
  expect(parseReport(text)).toEqual(REPORT)
})

test.each([['check'], ['status']])('accepts a %s of a later version', (member) => {
  const text = JSON.stringify(REPORT).replaceAll(
    new RegExp(`"${member}":"\\w+"`, 'g'),
    `"${member}":"newer"`,
  )
  const report = parseReport(text)
  expect(report && format(report)).toContain('newer')
})

const setting = { name: 'A', value: 'a', source: 'environment' }

describe('returns undefined for', () => {
  const many = Array.from({ length: 200_000 }, () => setting)

  test.each<[string, string]>([
    ['no JSON', 'hello'],
    ['nothing', ''],
    ['null', 'null'],
    ['deep JSON', NESTED],
    ['an object', '{}'],
    ['another schema', JSON.stringify({ ...REPORT, schemaVersion: 2 })],
    ['a report without its version', JSON.stringify({ ...REPORT, version: undefined })],
    ['an empty check', JSON.stringify({ ...REPORT, checks: [{}] })],
    ['more text than any report', JSON.stringify(REPORT) + ' '.repeat(8 * 1024 * 1024)],
    ['more settings than there are', JSON.stringify({ ...REPORT, settings: many })],
  ])('%s', (_, text) => {
    expect(parseReport(text)).toBeUndefined()
  })
})

/** Prints the report with another value in the place of its member of that number; undefined removes it. */
function printWith(number: number, value: unknown): string {
  let at = 0
  return JSON.stringify(REPORT, (_, member: unknown) => (at++ === number ? value : member))
}

test('a parsed report can be formatted, whatever one of its members is', () => {
  const values = fc.oneof(fc.jsonValue(), fc.constant(undefined))
  // The report itself is number 0.
  const property = fc.property(fc.integer({ min: 1, max: 40 }), values, (number, value) => {
    const report = parseReport(printWith(number, value))
    return report === undefined || format(report).includes('Reported by the sidecar')
  })
  expect(() => fc.assert(property, fuzzRuns(2000))).not.toThrow()
})
