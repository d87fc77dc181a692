/** Lists the objects of the cluster, to find what an uninstall leaves. */
import { kubectl } from './run.ts'

/** Kinds whose objects come and go by themselves. */
const TRANSIENT = /^(?:events|leases|certificatesigningrequests)\b|\.metrics\.k8s\.io$/

/** Lists every object of the cluster, as KIND NAMESPACE NAME. */
export async function listObjects(): Promise<ReadonlySet<string>> {
  const kinds = (await kubectl(['api-resources', '--verbs=list', '-o=name'])).trim().split('\n')
  const listed = kinds.filter((kind) => !TRANSIENT.test(kind)).join(',')
  const columns = '-o=custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name'
  const table = await kubectl(['get', listed, '--all-namespaces', '--no-headers', columns])
  // The width of a column depends on the other objects.
  return new Set(
    table
      .trim()
      .split('\n')
      .map((line) => line.split(/ +/).join(' ')),
  )
}
