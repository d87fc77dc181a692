/** The resources of one file of tests: the simulated Entra ID and a namespace. */
import { afterAll, beforeAll } from 'vitest'
import { connectToEntra, type Entra, type Application } from './entra.ts'
import { eventually } from './eventually.ts'
import { type Level, type TestNamespace, testNamespace } from './namespace.ts'
import { CLIENT, curl, METADATA, type Reply, replyIn, TOKEN_PATH } from './workloads.ts'

export interface TestCluster {
  readonly entra: Entra
  readonly namespace: TestNamespace
  /** Creates another namespace, which is deleted with the first one. */
  readonly another: (name: string, level?: Level) => Promise<TestNamespace>
  /** Requests a path of the metadata service from the app's container, by default a token. */
  readonly ask: (pod: string, path?: string, origin?: string) => Promise<Reply>
  /** Returns the reply that a container has printed, as soon as it has. */
  readonly reply: (pod: string, container?: string) => Promise<Reply>
}

/**
 * Prepares the tests of the file, and the `beforeAll` hooks that follow: creates the namespace, and replaces the applications of
 * Entra ID by these, by default by the identity of the ServiceAccount `app`. Tests and later hooks can use the result.
 */
export function testCluster(name: string, ...applications: readonly Application[]): TestCluster {
  const resources = new AsyncDisposableStack()
  const another = async (other: string, level?: Level) =>
    resources.use(await testNamespace(other, level))
  let entra: Entra
  let namespace: TestNamespace
  beforeAll(async () => {
    entra = await connectToEntra()
    const usual = { clientId: CLIENT, serviceAccounts: [`${name}:app`] }
    await entra.setApplications(...(applications.length > 0 ? applications : [usual]))
    namespace = await another(name)
  })
  afterAll(() => resources.disposeAsync())
  return {
    get entra() {
      return entra
    },
    get namespace() {
      return namespace
    },
    another,
    ask: async (pod, path = TOKEN_PATH, origin = METADATA) =>
      replyIn(await namespace.exec(pod, 'app', ['sh', '-c', curl(path, origin)])),
    reply: (pod, container) =>
      eventually(`${pod} has printed a reply`, async () =>
        replyIn(await namespace.logs(pod, container)),
      ),
  }
}
