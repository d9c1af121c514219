import { expect } from 'chai'
import { findOutpoolHome, homeFolder } from '../../../runtime/base/home-folder.ts'

const nobody = (): string => {
  throw new Error('uv_os_get_passwd returned ENOENT')
}

describe('homeFolder', () => {
  it('is HOME, and what the system knows where that is not set, or empty: not the working folder', () => {
    expect(homeFolder({ HOME: '/h' }, nobody)).to.equal('/h')
    for (const environment of [{}, { HOME: '' }]) expect(homeFolder(environment, () => '/known')).to.equal('/known')
  })

  it('is none for a user of whom the system knows nothing, or no folder', () => {
    expect(homeFolder({}, nobody)).to.equal(undefined)
    expect(homeFolder({ HOME: '' }, () => '')).to.equal(undefined)
  })
})

describe('findOutpoolHome', () => {
  it('is OUTPOOL_HOME, else in XDG_CONFIG_HOME, else in the home folder', () => {
    expect(findOutpoolHome({ OUTPOOL_HOME: '/o', XDG_CONFIG_HOME: '/x', HOME: '/h' })).to.equal('/o')
    expect(findOutpoolHome({ XDG_CONFIG_HOME: '/x', HOME: '/h' })).to.equal('/x/outpool')
    expect(findOutpoolHome({ HOME: '/h' })).to.equal('/h/.outpool')
  })

  it('is none where there is no home folder and nothing else is named', () => {
    expect(findOutpoolHome({}, () => undefined)).to.equal(undefined)
    expect(findOutpoolHome({ OUTPOOL_HOME: '/o' }, () => undefined)).to.equal('/o')
  })
})
