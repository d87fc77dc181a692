/** Finds the ServiceAccount of a workload in the input, which may have several environments with the same names. */
import { dirname, resolve, sep } from 'node:path'
import {
  CLIENT_ID,
  type ServiceAccountAnnotations,
  TENANT_ID,
} from '../../../kubernetes/service-account.ts'
import { getApiGroup, getName, type LocatedObject } from './workloads.ts'

/** An object of the input, with the place where it begins. */
export interface PlacedObject extends LocatedObject {
  readonly file: string
  readonly line: number
}

/** The identity and the namespace that the user gives by flags. */
interface Given {
  /** Overrides the annotations of ServiceAccounts. */
  readonly identity?: ServiceAccountAnnotations
  /** The namespace of objects that name none. */
  readonly namespace?: string | undefined
}

export type FindIdentity = ReturnType<typeof createIdentityFinder>

/**
 * Creates a function that finds the annotations of a workload's ServiceAccount. It takes the ServiceAccount in the same file;
 * without one, in the nearest folder at or above it; without one, anywhere in the input. It returns a problem if the
 * ServiceAccount may belong to another environment.
 */
export function createIdentityFinder(
  objects: readonly PlacedObject[],
  { identity = {}, namespace: byDefault }: Given = {},
) {
  const readNamespace = ({ metadata }: LocatedObject) => metadata.namespace ?? byDefault
  const byName = Map.groupBy(objects, (each) =>
    formatKey(getApiGroup(each.object), each.object.kind, readNamespace(each), getName(each)),
  )
  const isGiven = identity[CLIENT_ID] !== undefined && identity[TENANT_ID] !== undefined
  const read = ({ metadata }: LocatedObject) => ({ ...metadata.annotations, ...identity })
  return (workload: PlacedObject, accountName: string) => {
    const namespace = readNamespace(workload)
    const accounts = byName.get(formatKey('', 'ServiceAccount', namespace, accountName)) ?? []
    const [first, ...others] = selectNearest(accounts, workload)
    if (first === undefined || isGiven) return { annotations: identity }
    const annotations = read(first)
    const label = `ServiceAccount ${namespace === undefined ? '' : `${namespace}/`}${accountName}`
    const other = others.find((each) => !isSameIdentity(read(each), annotations))
    if (other !== undefined) {
      const problem = `the ${label} names several identities: ${formatPlace(first)}, ${formatPlace(other)}. Fix: inject each environment separately, or ${GIVE}`
      return { annotations, problem }
    }
    const { kind } = workload.object
    const key = formatKey(getApiGroup(workload.object), kind, namespace, getName(workload))
    const copies = byName.get(key) ?? []
    const owners = [first, ...others].map((account) =>
      copies.find((copy) => rank(account, copy) > rank(account, workload)),
    )
    const [owner] = owners
    if (owner === undefined || owners.includes(undefined)) return { annotations }
    const problem = `the ${label} of ${formatPlace(first)} seems to belong to the same ${kind} in ${formatPlace(owner)}. Fix: add a ServiceAccount to the folder of this ${kind}; for a patch of kustomize, pass the output of kubectl kustomize; or ${GIVE}`
    return { annotations, problem }
  }
}

const GIVE = 'give --client-id and --tenant-id'

const formatKey = (...parts: readonly (string | undefined)[]) => JSON.stringify(parts)

const formatPlace = ({ file, line }: PlacedObject) => `${file}:${line}`

function selectNearest(accounts: readonly PlacedObject[], workload: PlacedObject) {
  const best = Math.max(...accounts.map((each) => rank(each, workload)))
  return accounts.filter((each) => rank(each, workload) === best)
}

/**
 * Returns how near a ServiceAccount is to a workload. The workload's own file ranks highest, then the folders above it, the
 * deepest first.
 */
function rank(account: PlacedObject, workload: PlacedObject): number {
  if (account.file === workload.file) return Infinity
  const folder = `${dirname(resolve(account.file))}${sep}`.replace(`${sep}${sep}`, sep)
  return resolve(workload.file).startsWith(folder) ? folder.length : 0
}

function isSameIdentity(one: ServiceAccountAnnotations, other: ServiceAccountAnnotations): boolean {
  return [CLIENT_ID, TENANT_ID].every(
    (name) => (one[name] ?? '').trim().toLowerCase() === (other[name] ?? '').trim().toLowerCase(),
  )
}
