/** Finds where the source can be changed so that a test should notice: its mutants. */
import { parseAst } from 'vitest/node'

export interface Site {
  /** The functions or constants around it: `createAgent.start`. */
  readonly within: string
  readonly kind: string
  readonly from: string
  readonly to: string
  readonly start: number
  readonly end: number
}

interface Syntax {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

const isSyntax = (value: unknown): value is Syntax =>
  typeof value === 'object' && value !== null && 'type' in value && 'start' in value

const OPERATORS = new Map([
  ['===', '!=='],
  ['!==', '==='],
  ['<', '<='],
  ['<=', '<'],
  ['>', '>='],
  ['>=', '>'],
  ['&&', '||'],
  ['||', '&&'],
  ['+', '-'],
  ['-', '+'],
  ['*', '/'],
  ['/', '*'],
])
const METHODS = new Map([
  ['some', 'every'],
  ['every', 'some'],
  ['startsWith', 'endsWith'],
  ['endsWith', 'startsWith'],
  ['find', 'findLast'],
  ['indexOf', 'lastIndexOf'],
  ['min', 'max'],
  ['max', 'min'],
])
/** Methods whose result has the type of the object that they are called on. */
const OMITTED = new Set([
  'filter',
  'slice',
  'toSorted',
  'trim',
  'toLowerCase',
  'flat',
  'toReversed',
])
/** Nodes of types, imports and names, which are not evaluated. */
const SKIPPED = /^(?:TS(?!As|NonNull|Satisfies)|Import|ExportAll)/

/** Returns the sites of a source, in order. */
export function findSites(source: string): readonly Site[] {
  const sites: Site[] = []
  const program: unknown = parseAst(source, { lang: 'ts' })
  if (isSyntax(program)) visit(program, [])
  return sites

  function text(node: unknown): string {
    return isSyntax(node) ? source.slice(node.start, node.end) : ''
  }

  function visit(node: Syntax, path: readonly string[]): void {
    if (SKIPPED.test(node.type)) return
    const add = (kind: string, to: string, { start, end } = node) => {
      sites.push({ within: path.join('.'), kind, from: source.slice(start, end), to, start, end })
    }
    mutate(node, add)
    const name =
      node.type === 'VariableDeclarator' || node.type === 'FunctionDeclaration'
        ? node['id']
        : node.type === 'MethodDefinition' || isNamedFunction(node)
          ? node['key']
          : undefined
    const inner = isSyntax(name) && name.type === 'Identifier' ? [...path, text(name)] : path
    for (const [field, child] of Object.entries(node)) {
      if ((field === 'key' && node['computed'] !== true) || field === 'source') continue
      for (const each of Array.isArray(child) ? child : [child]) {
        if (isSyntax(each)) visit(each, inner)
      }
    }
  }

  function mutate(node: Syntax, add: (kind: string, to: string, at?: Syntax) => void): void {
    const addOptional = (object: unknown) => {
      if (node['optional'] !== true || !isSyntax(object)) return
      const rest = source.slice(object.end, node.end)
      add(
        'optional',
        source.slice(node.start, object.end) +
          rest.replace(/\?\.(?=([[(])?)/, (_, open) => (open ? '' : '.')),
      )
    }
    const { left, right, operator, callee, argument, body, test, value } = node
    switch (node.type) {
      case 'BinaryExpression':
      case 'LogicalExpression': {
        const to = OPERATORS.get(String(operator))
        if (operator === '??') add('fallback', text(left))
        else if (to !== undefined && !(operator === '+' && [left, right].some(isText))) {
          const [from, until] = [isSyntax(left) ? left.end : 0, isSyntax(right) ? right.start : 0]
          const between = source.slice(from, until).replace(String(operator), to)
          add('operator', source.slice(node.start, from) + between + source.slice(until, node.end))
        }
        break
      }
      case 'UnaryExpression':
        if (operator === '!') add('negation', text(argument))
        break
      case 'IfStatement':
      case 'ConditionalExpression':
        if (isSyntax(test)) add('condition', `!(${text(test)})`, test)
        break
      case 'MemberExpression':
        addOptional(node['object'])
        break
      case 'Literal':
        if (typeof value === 'boolean') add('literal', String(!value))
        else if (typeof value === 'number') add('literal', String(value + 1))
        else if (node['regex'] !== undefined) {
          const to = text(node).replace(/(?<=^\/)\^|\$(?=\/[a-z]*$)/, '')
          if (to !== text(node)) add('anchor', to)
        } else if (typeof value === 'string' && !/\s/.test(value)) {
          add('literal', value === '' ? "'x'" : "''")
        }
        break
      case 'ReturnStatement':
        if (argument !== null && text(argument) !== 'undefined') add('return', 'return undefined')
        break
      case 'ArrowFunctionExpression':
        if (node['expression'] === true && isSyntax(body) && text(body) !== 'undefined') {
          add('return', 'undefined', body)
        }
        break
      case 'ExpressionStatement': {
        const { expression } = node
        if (!isSyntax(expression) || isText(expression)) break
        add(expression.type === 'AssignmentExpression' ? 'assignment' : 'statement', ';')
        break
      }
      case 'ThrowStatement':
        add('statement', ';')
        break
      case 'CallExpression': {
        addOptional(callee)
        if (!isSyntax(callee) || callee.type !== 'MemberExpression') break
        const { property } = callee
        if (!isSyntax(property)) break
        const to = METHODS.get(text(property))
        if (to !== undefined) add('method', to, property)
        if (OMITTED.has(text(property))) {
          add('method', source.slice(node.start, property.start).replace(/\s*\??\.$/, ''))
        }
        break
      }
      case 'ObjectExpression':
      case 'ArrayExpression': {
        const parts = node['properties'] ?? node['elements']
        for (const part of Array.isArray(parts) ? parts : []) {
          if (!isSyntax(part)) continue
          const end = part.end + (/^\s*,/.exec(source.slice(part.end))?.[0].length ?? 0)
          add('member', '', { ...part, end })
        }
        break
      }
      default:
    }
  }
}

const isText = (node: unknown) =>
  isSyntax(node) && (node.type === 'TemplateLiteral' || typeof node['value'] === 'string')
const isNamedFunction = (node: Syntax) =>
  node.type === 'Property' && isSyntax(node['value']) && node['value'].type.includes('Function')
