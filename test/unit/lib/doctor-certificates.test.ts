import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { expect } from 'chai'
import { certificateFindings } from '../../../lib/cli/doctor-certificates.ts'

describe('certificateFindings', () => {
  const readsAtStart = Number.parseInt(process.versions.node, 10) < 22
  const fileOf = (certificates: readonly string[]): string => {
    const file = join(mkdtempSync(join(tmpdir(), 'certificates-')), 'extra.pem')
    writeFileSync(file, certificates.join('\n'))
    return file
  }

  it('says nothing where none are named', () => {
    expect(certificateFindings({ PATH: '/usr/bin' })).to.deep.equal([])
    expect(certificateFindings({ NODE_EXTRA_CA_CERTS: '' })).to.deep.equal([])
  })

  it('warns by the fastest starts of each kind, when those with them are far slower', () => {
    const starts = { with: [250, 130, 180], without: [90, 60, 400] }
    const startMs = (environment: NodeJS.ProcessEnv): number =>
      starts['NODE_EXTRA_CA_CERTS' in environment ? 'with' : 'without'].pop() ?? 0
    const [finding] = certificateFindings({ NODE_EXTRA_CA_CERTS: '/etc/all.pem' }, startMs, '20.19.0')
    expect(finding?.state).to.equal('warning')
    expect(finding?.found).to.match(/\/etc\/all\.pem, which adds 70 ms to the start/)
    expect(finding?.advice).to.match(/Node 22 and later/)
  })

  it('only names them where starts take as long, or longer, without', () => {
    for (const without of [50, 80]) {
      const startMs = (environment: NodeJS.ProcessEnv): number => ('NODE_EXTRA_CA_CERTS' in environment ? 60 : without)
      expect(certificateFindings({ NODE_EXTRA_CA_CERTS: '/etc/own.pem' }, startMs, '20.19.0')).to.deep.equal([
        { check: 'certificates', state: 'ok', found: 'NODE_EXTRA_CA_CERTS is /etc/own.pem', advice: '' },
      ])
    }
  })

  it('starts no process to measure where Node reads them when they are needed', () => {
    const startMs = (): number => expect.fail('a process was started')
    const [finding] = certificateFindings({ NODE_EXTRA_CA_CERTS: '/etc/all.pem' }, startMs, '22.0.0')
    expect(finding).to.include({ state: 'ok', found: 'NODE_EXTRA_CA_CERTS is /etc/all.pem' })
  })

  it('measures real starts, which the certificates of several systems make slower where Node reads them then', () => {
    const file = fileOf(Array.from({ length: 3 }, () => rootCertificates).flat())
    const [finding, ...others] = certificateFindings({ NODE_EXTRA_CA_CERTS: file })
    expect(others).to.deep.equal([])
    expect(finding?.found).to.include(file)
    if (readsAtStart) expect(finding?.state).to.equal('warning')
  })
})
