/**
 * Which nodes belong to the cluster, pure. A node is one incarnation of a node manager; once dead it stays dead, and
 * whoever comes back comes back under a new id.
 *
 *                    [1] register
 *      (unknown) ─────────────────▶ linked ◀───────────────┐
 *          ▲                         │  │                  │ [3] register again, in time
 *          │ restored after a        │  │ [2] link lost    │
 *          │ restart of the head     │  └────────────▶ unlinked
 *          └──────▶ unlinked         │                     │ [4] grace over
 *                                    │ [5] heartbeats      ▼
 *                                    │     missed ──▶    dead ──▶ told to all nodes in the next view, its jobs end
 *                                    └ [6] it leaves ─▶
 *
 * - [1] answers with all rows, dead ones included. A second link of a linked node takes over; the old one is closed.
 * - [2] A broken link alone kills nobody: the node has `linkLostGraceMs` to come back (`unconfirmedMs` after a restart
 *   of the head, when nobody has a link yet).
 * - [5] is decided by the heartbeat detector; here it is an event.
 * - A head that has lost its tables hears from its nodes whom they knew: the living have `unconfirmedMs` as after a restart,
 *   the dead stay dead.
 * - Whatever a dead incarnation still says is answered with `declaredDead` and its link is closed.
 *
 * Changes of rows are gathered for at most `viewBatchMs` (`newsBatchMs` for a node that comes or goes) and then told to
 * every linked node at once.
 */
import type { NodeId } from '../base/ids.ts'
import type { NodeRow, ResourceUnits } from '../protocol/messages.ts'

/** A link to a node manager, named by its attachment. */
export type LinkId = number

export interface MembershipOptions {
  /** How long a node may be without a link before it is dead. Default 2,000. */
  readonly linkLostGraceMs: number
  /** The same, for nodes that were alive when the head was started again. Default 10,000. */
  readonly unconfirmedMs: number
  /** How long loads that change are gathered before they are told. Default 50. */
  readonly viewBatchMs: number
  /** The same for nodes that come and go: others fail to reach them, or still rely on them, until they are told. Default 5. */
  readonly newsBatchMs: number
  /** Dead nodes that are remembered by name; the oldest are forgotten first. Default 1,000. */
  readonly maxDead: number
}

export const defaultMembershipOptions: MembershipOptions = {
  linkLostGraceMs: 2_000,
  unconfirmedMs: 10_000,
  viewBatchMs: 50,
  newsBatchMs: 5,
  maxDead: 1_000,
}

export interface NodeReport {
  readonly available: ResourceUnits
  readonly queued: number
  readonly workers: number
  readonly state: NodeRow['state']
}

export type MembershipEvent =
  | { readonly kind: 'register'; readonly link: LinkId; readonly requestId: number; readonly row: NodeRow }
  /** What a registered node knew of others before. */
  | { readonly kind: 'remembered'; readonly link: LinkId; readonly rows: readonly NodeRow[] }
  | { readonly kind: 'load'; readonly link: LinkId; readonly report: NodeReport }
  | { readonly kind: 'linkLost'; readonly link: LinkId; readonly reason: string }
  | { readonly kind: 'silent'; readonly node: NodeId; readonly silentMs: number }
  | { readonly kind: 'timer'; readonly timer: MembershipTimer }

/** `view`: tell what has changed; otherwise the grace of that node is over. */
export type MembershipTimer = 'view' | NodeId

export type MembershipInstruction =
  | {
      readonly kind: 'registered'
      readonly link: LinkId
      readonly requestId: number
      readonly rows: readonly NodeRow[]
    }
  /** Say that this incarnation is dead, then close the link. */
  | { readonly kind: 'declaredDead'; readonly link: LinkId; readonly node: NodeId; readonly reason: string }
  | { readonly kind: 'closeLink'; readonly link: LinkId; readonly reason: string }
  /** Write the row into the table `nodes`: before `registered`, and before a death is told. */
  | { readonly kind: 'save'; readonly row: NodeRow }
  | { readonly kind: 'forget'; readonly node: NodeId }
  | {
      readonly kind: 'view'
      readonly version: number
      readonly rows: readonly NodeRow[]
      readonly links: readonly LinkId[]
    }
  | { readonly kind: 'watchHeartbeat'; readonly node: NodeId; readonly link: LinkId }
  | { readonly kind: 'unwatchHeartbeat'; readonly node: NodeId }
  | { readonly kind: 'setTimer'; readonly timer: MembershipTimer; readonly delayMs: number }
  | { readonly kind: 'clearTimer'; readonly timer: MembershipTimer }
  /** Everything of that node is over: its jobs, its actors. */
  | { readonly kind: 'nodeDown'; readonly node: NodeId; readonly reason: string }

interface Member {
  row: NodeRow
  /** undefined: unlinked, the grace timer runs. Dead members have neither. */
  link: LinkId | undefined
  lostBecause: string
}

export class MembershipState {
  readonly options: MembershipOptions
  /** Members by id; dead ones too, in order of death among themselves. */
  readonly #members: Map<NodeId, Member> = new Map()
  readonly #dead: Set<NodeId> = new Set()
  /** Links of linked members. */
  readonly #byLink: Map<LinkId, NodeId> = new Map()
  readonly #changed: Set<NodeId> = new Set()
  /** Whether a change of `#changed` is one that must not wait long. */
  #news = false
  #version = 0
  #out: MembershipInstruction[] = []

  constructor(options: Partial<MembershipOptions> = {}) {
    this.options = { ...defaultMembershipOptions, ...options }
  }

  /** After a restart of the head: those who were alive have `unconfirmedMs` to register again. */
  restore(rows: readonly NodeRow[]): MembershipInstruction[] {
    return this.#collect(() => {
      for (const row of rows) this.#restore(row)
    })
  }

  #restore(row: NodeRow): void {
    this.#members.set(row.id, { row, link: undefined, lostBecause: 'the head was started again' })
    if (row.state === 'dead') this.#dead.add(row.id)
    else this.#out.push({ kind: 'setTimer', timer: row.id, delayMs: this.options.unconfirmedMs })
  }

  handle(event: MembershipEvent): MembershipInstruction[] {
    return this.#collect(() => {
      switch (event.kind) {
        case 'register':
          return this.#register(event)
        case 'remembered':
          return this.#remembered(event.link, event.rows)
        case 'load':
          return this.#load(event.link, event.report)
        case 'linkLost':
          return this.#linkLost(event.link, event.reason)
        case 'silent':
          return this.#silent(event.node, event.silentMs)
        case 'timer':
          return event.timer === 'view' ? this.#tellView() : this.#graceOver(event.timer)
      }
    })
  }

  /** Every row that is known, dead ones last. */
  rows(): NodeRow[] {
    const rows = [...this.#members.values()].map((member) => member.row)
    return [...rows.filter((row) => row.state !== 'dead'), ...rows.filter((row) => row.state === 'dead')]
  }

  nodeOf(link: LinkId): NodeId | undefined {
    return this.#byLink.get(link)
  }

  /** Links of all linked nodes. */
  links(): LinkId[] {
    return [...this.#byLink.keys()]
  }

  validate(): void {
    for (const [id, member] of this.#members) {
      if (member.row.id !== id) throw new Error(`node ${member.row.id} is filed under ${id}`)
      const dead = member.row.state === 'dead'
      if (dead !== this.#dead.has(id))
        throw new Error(`node ${id}: ${member.row.state}, but in the list of the dead or not`)
      if (dead && member.link !== undefined) throw new Error(`node ${id} is dead and has a link`)
      if (member.link !== undefined && this.#byLink.get(member.link) !== id)
        throw new Error(`node ${id}: link ${member.link} belongs to ${String(this.#byLink.get(member.link))}`)
    }
    for (const [link, id] of this.#byLink)
      if (this.#members.get(id)?.link !== link) throw new Error(`link ${link} names node ${id}, which has another`)
    if (this.#dead.size > this.options.maxDead + this.#changed.size)
      throw new Error(`${this.#dead.size} dead nodes are remembered`)
  }

  #collect(act: () => void): MembershipInstruction[] {
    this.#out = []
    act()
    const out = this.#out
    this.#out = []
    return out
  }

  #register({ link, requestId, row }: MembershipEvent & { kind: 'register' }): void {
    const known = this.#members.get(row.id)
    if (known?.row.state === 'dead') {
      const reason = known.row.reason ?? 'declared dead'
      this.#out.push({ kind: 'declaredDead', link, node: row.id, reason })
      return
    }
    const before = this.#byLink.get(link)
    if (before !== undefined && before !== row.id) {
      this.#out.push({ kind: 'closeLink', link, reason: `the link of node ${before} cannot register ${row.id}` })
      return
    }
    const { reason: _, ...facts } = row
    const state = row.state === 'draining' ? 'draining' : 'alive'
    const member: Member = { row: { ...facts, state }, link, lostBecause: '' }
    if (known) this.#out.push({ kind: 'clearTimer', timer: row.id })
    if (known?.link !== undefined && known.link !== link) {
      this.#byLink.delete(known.link)
      this.#out.push({ kind: 'closeLink', link: known.link, reason: `node ${row.id} registered over another link` })
    }
    this.#members.set(row.id, member)
    this.#byLink.set(link, row.id)
    this.#change(row.id, true)
    this.#out.push(
      { kind: 'save', row: member.row },
      { kind: 'registered', link, requestId, rows: this.rows() },
      { kind: 'watchHeartbeat', node: row.id, link },
    )
    this.#replaced(row)
  }

  /** Deaths are told by a head alone: one that a node knows of was decided by the head before this one. */
  #remembered(link: LinkId, rows: readonly NodeRow[]): void {
    if (!this.#linked(link)) return
    for (const row of rows) {
      const known = this.#members.get(row.id)
      if (known === undefined) {
        this.#restore(row)
        this.#out.push({ kind: 'save', row })
        this.#change(row.id, true)
        const heir = [...this.#members.values()].find((other) => other.link !== undefined && other.row.url === row.url)
        if (heir !== undefined) this.#replaced(heir.row)
      } else if (row.state === 'dead' && known.row.state !== 'dead') this.#die(known, row.reason ?? 'declared dead')
    }
    this.#forgetOldest()
  }

  /** A port belongs to one process: who is away, and whose address another node has now, does not come back. */
  #replaced({ id, url }: NodeRow): void {
    if (url === '') return
    for (const other of [...this.#members.values()]) {
      if (other.row.id === id || other.row.url !== url || other.row.state === 'dead' || other.link !== undefined)
        continue
      this.#die(other, `another node manager, ${id}, has its address ${url} now`)
    }
  }

  #load(link: LinkId, report: NodeReport): void {
    const member = this.#linked(link)
    if (!member) return
    if (report.state === 'dead') return this.#die(member, 'it was stopped')
    const { available, queued, workers, state } = report
    member.row = { ...member.row, available, queued, workers, state }
    this.#change(member.row.id, false)
  }

  /** The member behind a link that says something; undefined, and the link is closed, when it never registered. */
  #linked(link: LinkId): Member | undefined {
    const id = this.#byLink.get(link)
    const member = id === undefined ? undefined : this.#members.get(id)
    if (!member) this.#out.push({ kind: 'closeLink', link, reason: 'this link has not registered a node' })
    return member
  }

  #linkLost(link: LinkId, reason: string): void {
    const id = this.#byLink.get(link)
    const member = id === undefined ? undefined : this.#members.get(id)
    if (!member || id === undefined) return
    this.#byLink.delete(link)
    member.link = undefined
    member.lostBecause = reason
    this.#out.push(
      { kind: 'unwatchHeartbeat', node: id },
      { kind: 'setTimer', timer: id, delayMs: this.options.linkLostGraceMs },
    )
  }

  #graceOver(node: NodeId): void {
    const member = this.#members.get(node)
    if (!member || member.link !== undefined || member.row.state === 'dead') return
    this.#die(member, `its link to the head is gone (${member.lostBecause}) and it has not come back`)
  }

  #silent(node: NodeId, silentMs: number): void {
    const member = this.#members.get(node)
    if (!member || member.row.state === 'dead') return
    this.#die(member, `the head has heard nothing of it for ${Math.round(silentMs)} ms`)
  }

  #die(member: Member, reason: string): void {
    const id = member.row.id
    if (member.link === undefined) this.#out.push({ kind: 'clearTimer', timer: id })
    else {
      this.#byLink.delete(member.link)
      this.#out.push(
        { kind: 'unwatchHeartbeat', node: id },
        { kind: 'declaredDead', link: member.link, node: id, reason },
      )
      member.link = undefined
    }
    member.row = { ...member.row, state: 'dead', reason, available: [], queued: 0, workers: 0 }
    // Filed anew, so that the dead lie in order of death.
    this.#members.delete(id)
    this.#members.set(id, member)
    this.#dead.add(id)
    this.#out.push({ kind: 'save', row: member.row }, { kind: 'nodeDown', node: id, reason })
    this.#change(id, true)
    this.#forgetOldest()
  }

  #forgetOldest(): void {
    for (const id of this.#dead) {
      if (this.#dead.size <= this.options.maxDead) return
      if (this.#changed.has(id)) continue
      this.#dead.delete(id)
      this.#members.delete(id)
      this.#out.push({ kind: 'forget', node: id })
    }
  }

  /** At most two timers are set per view: the second, sooner one takes the place of the first. */
  #change(id: NodeId, news: boolean): void {
    const { newsBatchMs, viewBatchMs } = this.options
    if (news ? !this.#news : this.#changed.size === 0)
      this.#out.push({ kind: 'setTimer', timer: 'view', delayMs: news ? newsBatchMs : viewBatchMs })
    this.#news ||= news
    this.#changed.add(id)
  }

  #tellView(): void {
    const rows: NodeRow[] = []
    for (const id of this.#changed) {
      const member = this.#members.get(id)
      if (member) rows.push(member.row)
    }
    this.#changed.clear()
    this.#news = false
    this.#forgetOldest()
    if (rows.length === 0) return
    this.#version++
    this.#out.push({ kind: 'view', version: this.#version, rows, links: this.links() })
  }
}
