import { expect, test } from 'vitest'
import { findBrokerPorts } from '../../../src/node/agent/broker-network.ts'

test.each([
  [{}, [53, 443, 443]],
  [{ AZURE_AUTHORITY_HOST: 'https://login.example:8443/' }, [53, 443, 8443]],
  [{ HTTPS_PROXY: 'http://user:password@proxy:3128' }, [53, 443, 443, 3128]],
  [{ HTTPS_PROXY: 'proxy' }, [53, 443, 443, 80]],
  [{ https_proxy: 'https://proxy' }, [53, 443, 443, 443]],
  // The broker says what is wrong.
  [{ HTTPS_PROXY: '::', AZURE_AUTHORITY_HOST: 'http://login' }, [53, 443]],
])('a broker with the settings %j connects to the ports %j', (env, ports) => {
  expect(findBrokerPorts(env)).toEqual(ports)
})
