import type { Scene, Viewer } from './page-scene.ts'
import type { PageAsked } from './page-visit.ts'

/** Every page of each role that can be asked for by its address alone. */
export function pagesOf(scene: Scene): Record<Viewer, PageAsked[]> {
  const { case: id, letter, scan, file, specialist, share, answered, event } = scene
  const sharing = `/cases/${id}/share`
  const review = `/reviews/${share}`
  const account = '/account'
  return {
    nobody: at(
      ['/', '/sign-in', '/enrol/first', '/recover', '/s', '/i'],
      ['/help', '/accessibility', '/privacy']
    ),
    clinician: at(
      ['/cases', '/cases/new', `/cases/${id}`, `/cases/${id}/request`, `/cases/${id}/checklist`],
      [`/cases/${id}/close`, `/cases/${id}/upload`, `/cases/${id}/records/${scan}`],
      [`/cases/${id}/records/${letter}/files/${file}`, sharing, `${sharing}/${specialist}`],
      [`${sharing}/${specialist}/consent/second-opinion`, `${sharing}/${specialist}/records`],
      ['/shares', `/shares/${share}`, `/shares/${share}/link`, `/shares/${share}/end`],
      ['/specialists', `/specialists/${specialist}`, '/specialists/invite'],
      [`/cases/${id}/opinions`, `/cases/${id}/opinions/${answered}`, `/cases/${id}/access`],
      [account]
    ),
    specialist: at(
      ['/reviews', review, `${review}/records/${scan}`],
      [`${review}/records/${letter}/objects/${file}`, `${review}/opinion`],
      [`${review}/opinion/attachments`, `${review}/opinion/submit`, `${review}/messages`],
      [`${review}/decline`, `${review}/more-time`, `/reviews/${answered}/opinion`, account]
    ),
    auditor: at(
      ['/log', '/log/answer', '/log/live-shares', `/log/events/${event}`, '/log/report'],
      ['/log/integrity', account]
    ),
    administrator: at(
      ['/administration', '/administration/policy', '/administration/organisations'],
      ['/administration/register', `/administration/register/${specialist}`],
      ['/administration/register/import', '/administration/shares'],
      ['/administration/people', '/administration/people/add', account]
    )
  }
}

const at = (...paths: string[][]): PageAsked[] => paths.flat().map(path => ({ path }))

/** What is asked where a hospital has thousands of cases and the log a million events. */
export function busyPages(scene: Scene, busy: Busy): Partial<Record<Viewer, PageAsked[]>> {
  const { nhsNumber, caseId, olderThan, event, actor } = busy
  const saved = (question: string) => ({ path: `/log/answer?question=${question}` })
  const asked = (name: string, path: string, form: Record<string, string>) => ({ name, path, form })
  return {
    clinician: [
      { path: '/cases' },
      { path: `/cases?after=${olderThan}`, name: '/cases, an older page' },
      asked('/cases/search', '/cases/search', { number: nhsNumber }),
      { path: `/cases/${caseId}` },
      { path: `/cases/${caseId}/access` },
      { path: '/shares' },
      { path: `/cases/${scene.case}/share` },
      { path: '/specialists' }
    ],
    specialist: [{ path: '/reviews' }],
    auditor: [
      { path: '/log' },
      { path: '/log/answer' },
      asked('/log/answer, one patient', '/log/answer', {
        'nhs-number': nhsNumber
      }),
      { path: `/log/answer?actor=${actor}` },
      { path: `/log/answer?case=${caseId}` },
      { path: '/log/answer?country=US' },
      { path: '/log/answer?outcome=refused&period=month' },
      asked('/log/answer, one name', '/log/answer', { person: 'Number 42' }),
      ...['disclosures-abroad', 'refused', 'log-readers'].map(saved),
      { path: '/log/live-shares' },
      { path: `/log/events/${event}` },
      { path: `/v1/audit/events/${event}/proof`, name: 'its proof' },
      asked('/log/report, one patient', '/log/report', { 'nhs-number': nhsNumber }),
      asked('/log/report, 1,500 openings and the chart', '/log/report', { case: busy.readCase }),
      { path: '/log/integrity' },
      { ...asked('/log/integrity, verify now', '/log/integrity', {}), isWork: true }
    ],
    administrator: [
      { path: '/administration' },
      { path: '/administration/people' },
      { path: '/administration/register' },
      { path: '/administration/shares' }
    ]
  }
}

/** What there is to ask about. */
export interface Busy {
  nhsNumber: string
  caseId: string
  /** A case in the middle of the list. */
  olderThan: string
  event: string
  actor: string
  /** A case of which files were opened very often. */
  readCase: string
}
