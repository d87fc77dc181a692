import { describe, expect, test } from 'vitest'
import { redirect } from '../../src/sidecar/redirect.ts'
import { createFolder } from '../fixtures/folder.ts'
import { runCommand } from '../tools/capture.ts'

const run = (args: readonly string[], env?: Readonly<Record<string, string>>) =>
  runCommand(redirect, args, env)

const LOOPBACK_SCRIPT = `ip route replace 169.254.169.254/32 dev lo src 127.0.0.1
nft -f - <<'END'
table ip wimds
delete table ip wimds
table ip wimds {
  chain to_sidecar {
    type nat hook output priority -150; policy accept;
    ip daddr 169.254.169.254 tcp dport 80 redirect to :64169
  }
  chain reject_direct {
    type filter hook output priority 0; policy accept;
    ip daddr 169.254.169.254 tcp dport 80 reject with tcp reset
    ct direction original ip daddr 169.254.169.254 meta l4proto tcp reject with tcp reset
    ct direction original ip daddr 169.254.169.254 reject
  }
}
END
`

describe('wimds redirect --dry-run', () => {
  test('prints the script of loopback mode, the default, and of its removal', async () => {
    expect(await run(['--dry-run'])).toEqual({ code: 0, out: LOOPBACK_SCRIPT, err: '' })
    expect((await run(['--undo', '--dry-run'])).out).toBe(
      `nft -f - <<'END'\ntable ip wimds\ndelete table ip wimds\nEND\n` +
        'ip route flush exact 169.254.169.254/32 dev lo\n',
    )
  })

  test('exempts the uid in both chains when pass-through is on, and only then', async () => {
    const on = await run(['--dry-run', '--mode=nft', '--pass-through', '--uid=1600'])
    expect(on.out).toContain('    meta skuid 1600 accept\n')
    expect(on.out).toContain(
      '    meta skuid != 1600 ip daddr 169.254.169.254 tcp dport 80 reject with tcp reset\n',
    )
    const off = (await run(['--dry-run', '--mode=nft', '--uid=1600'])).out
    expect(off).not.toContain('skuid')
    // Only loopback mode changes it.
    expect(off).not.toContain('dev lo')
  })

  test('prints the rule for restarts of the sidecar with --wait', async () => {
    expect((await run(['--dry-run', '--wait=120'])).out).toContain(
      'await_restart tcp sport 64169 tcp flags & (fin | syn | rst | ack) == rst | ack tcp sequence 0 drop\n',
    )
  })

  test('reads the variables of the init container of azure-workload-identity, which a flag overrides', async () => {
    const fixed = { METADATA_IP: '169.254.169.254', METADATA_PORT: '80' }
    const env = { PROXY_PORT: '8500', PROXY_UID: '1600', ...fixed }
    const flags = ['--dry-run', '--mode=nft', '--pass-through']
    expect((await run(flags, env)).out).toMatch(/skuid 1600 [^]*redirect to :8500\n/)
    expect((await run([...flags, '--port=8600'], env)).out).toContain('redirect to :8600\n')
  })
})

test('wimds redirect reports all problems at once', async () => {
  const env = { PROXY_PORT: 'http', METADATA_IP: '10.0.0.1', METADATA_PORT: '81' }
  const { code, out, err } = await run(['--uid=0', '--wait=0', '--pass-through', '--what'], env)
  expect({ code, out }).toEqual({ code: 64, out: '' })
  for (const part of [
    'unexpected|--what',
    'PROXY_PORT must be a whole number',
    '--uid must be a whole number from 1',
    '--wait must be a whole number from 1',
    'METADATA_IP can only be 169.254.169.254.',
    'METADATA_PORT can only be 80. Fix: ',
    '--pass-through needs --mode nft',
  ]) {
    expect(err).toMatch(new RegExp(`^wimds redirect: .*(?:${part})`, 'm'))
  }
})

describe('wimds redirect --wait', () => {
  test('exits with 1 and names the port if the sidecar does not listen in time', async () => {
    using tools = stubTools({ ip: 'exit 0', nft: 'exit 0' })
    const flags = ['--mode=nft', '--port=1', '--wait=1']
    const { code, err } = await run(flags, { PATH: tools.path })
    expect(code).toBe(1)
    expect(err).toContain('does not accept connections on 127.0.0.1:1 after 1 s. Fix: ')
  })
})

describe('wimds redirect fails with 1', () => {
  test('and names the tools that are missing', async () => {
    const { code, err } = await run([], { PATH: '/nowhere' })
    expect(code).toBe(1)
    expect(err).toContain('the redirect needs nft and ip on the PATH')
  })

  test.each([
    ['Operation not permitted', 'it needs uid 0 and the capability NET_ADMIN'],
    [
      'Protocol not supported',
      'the kernel has no nf_tables: load the modules nf_tables and nft_redir on the node',
    ],
  ])('and the message of a tool that failed, on one line: %s', async (message, reason) => {
    using tools = stubTools({
      ip: 'exit 0',
      nft: `printf "${message}\\nadd table ip wimds\\n" >&2; exit 1`,
    })
    const { code, err } = await run(['--mode=nft'], { PATH: tools.path })
    expect(code).toBe(1)
    expect(err).toBe(`wimds redirect: nft -f -: ${message} add table ip wimds (${reason})\n`)
  })
})

function stubTools(scripts: Record<string, string>): Disposable & { path: string } {
  const folder = createFolder()
  for (const [name, script] of Object.entries(scripts)) {
    folder.write(name, `#!/bin/sh\n${script}\n`, 0o755)
  }
  return folder
}
