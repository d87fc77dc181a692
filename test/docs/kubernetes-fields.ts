/** Kubernetes objects held against the API's types, as `kubectl apply --validate=strict` would. */
import * as models from '@kubernetes/client-node'

/** The types of the fields of an object, as the generated client keeps them. */
interface Model {
  readonly getAttributeTypeMap: () => readonly {
    readonly baseName: string
    readonly type: string
  }[]
}

/** API versions in use here whose types the client names by the version alone. */
const VERSIONS: Readonly<Record<string, string>> = {
  v1: 'V1',
  'apps/v1': 'V1',
  'batch/v1': 'V1',
  'rbac.authorization.k8s.io/v1': 'V1',
}

/** Every mistake of an object that names its kind: unknown kinds and fields, and wrong types. */
export function objectMistakes(value: unknown): string[] {
  if (!isObject(value)) return ['is no object']
  const { apiVersion, kind } = value
  const type = `${VERSIONS[String(apiVersion)] ?? ''}${String(kind)}`
  if (!type.startsWith('V1') || modelOf(type) === undefined) {
    return [`${String(apiVersion)} has no kind ${String(kind)}`]
  }
  return typeMistakes(value, type, String(kind))
}

/** Every mistake of a value that is to be of a type of the API, such as `V1PodSpec`. */
export function typeMistakes(value: unknown, type: string, path: string): string[] {
  const [, item] = /^(?:Array|Set)<(.+)>$/.exec(type) ?? []
  if (item !== undefined) {
    if (!Array.isArray(value)) return [`${path} is no list`]
    return value.flatMap((each, index) => typeMistakes(each, item, `${path}[${index}]`))
  }
  const [, entry] = /^\{ \[key: string\]: (.+); \}$/.exec(type) ?? []
  if (entry !== undefined) {
    if (!isObject(value)) return [`${path} is no map`]
    return Object.entries(value).flatMap(([key, each]) =>
      typeMistakes(each, entry, `${path}.${key}`),
    )
  }
  const isRight = SCALARS[type]
  if (isRight !== undefined) return isRight(value) ? [] : [`${path} is no ${type}`]
  const fields = modelOf(type)
  if (fields === undefined) return [`${path} has the unknown type ${type}`]
  if (!isObject(value)) return [`${path} is no object`]
  return Object.entries(value).flatMap(([name, each]) => {
    const field = fields.get(name)
    return field === undefined
      ? [`${path} has no field ${name}`]
      : typeMistakes(each, field, `${path}.${name}`)
  })
}

/** The names of the fields of a type, such as `V1Container`. */
export const fieldsOf = (type: string): readonly string[] => [...(modelOf(type)?.keys() ?? [])]

const SCALARS: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  Date: (value) => typeof value === 'string',
  IntOrString: (value) => typeof value === 'string' || Number.isInteger(value),
  any: () => true,
}

const isModel = (value: unknown): value is Model =>
  typeof value === 'function' && 'getAttributeTypeMap' in value

function modelOf(type: string): ReadonlyMap<string, string> | undefined {
  const model: unknown = Object.entries(models).find(([name]) => name === type)?.[1]
  if (!isModel(model)) return undefined
  return new Map(model.getAttributeTypeMap().map(({ baseName, type: field }) => [baseName, field]))
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
