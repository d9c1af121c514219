/**
 * Drivers that share nothing with the nodes but a way to their ports: in a mount namespace that hides the nodes'
 * folders, and, where wanted, in a network namespace of their own.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { hideFolder, mayMount } from './hiding.ts'
import type { FailureCluster } from './support.ts'

/** What goes in front of a command so that it does not see the nodes' folders; skips the test where that is forbidden. */
export function elsewhere(context: Mocha.Context | undefined, cluster: FailureCluster): readonly string[] {
  // As root itself; as a user, in a namespace in which it is root.
  for (const unshare of [
    ['unshare', '-m'],
    ['unshare', '-rm'],
  ])
    if (mayMount(unshare)) return [...unshare, ...hideFolder, cluster.runRoot]
  return unavailable(context, 'mount namespaces (unshare -m)')
}

export interface Network {
  /** Of this machine, as the inside reaches it. */
  readonly address: string
  /** What goes in front of a command that runs inside, and does not see the nodes' folders. */
  readonly within: readonly string[]
  close(): void
}

/** A network namespace with one cable to this one; undefined, and the test is skipped, where there are none. */
export function startNetwork(context: Mocha.Context | undefined, cluster: FailureCluster): Network {
  const name = `op${randomBytes(3).toString('hex')}`
  const subnet = freeSubnet()
  const commands = [
    `ip netns add ${name}`,
    `ip link add ${name}a type veth peer name ${name}b netns ${name}`,
    `ip addr add ${subnet}.1/24 dev ${name}a`,
    `ip link set ${name}a up`,
    `ip -n ${name} addr add ${subnet}.2/24 dev ${name}b`,
    `ip -n ${name} link set ${name}b up`,
    `ip -n ${name} link set lo up`,
  ]
  const network = {
    address: `${subnet}.1`,
    within: ['ip', 'netns', 'exec', name, ...hideFolder, cluster.runRoot],
    close: (): void => void spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' }),
  }
  for (const line of commands) {
    const [command, ...args] = line.split(' ') as [string, ...string[]]
    if (spawnSync(command, args, { stdio: 'ignore' }).status === 0) continue
    network.close()
    return unavailable(context, `network namespaces (${line})`)
  }
  return network
}

/** By chance, and not one that another run has, or left behind when it was killed: what is sent would go there. */
function freeSubnet(): string {
  const taken = new Set(Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address)))
  const free = Array.from({ length: 256 }, (_, i) => `10.231.${i}`).filter((subnet) => !taken.has(`${subnet}.1`))
  const subnet = free[randomInt(256) % free.length]
  if (subnet === undefined) throw new Error('tests have left networks behind: ip netns list, ip netns del')
  return subnet
}

function unavailable(context: Mocha.Context | undefined, what: string): never {
  const message = `needs ${what}, which this machine does not allow`
  if (context === undefined || process.env['CI']) throw new Error(message)
  console.log(`      skipped: ${message}`)
  return context.skip()
}
