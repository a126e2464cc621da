// Values as the server gives them, for the tests.
export function makeCitation(fields = {}) {
  return {
    marker: 1, document: "d1", title: "Manual", place: "page 3", start: 0, end: 25, quote: "The valve opens at 3 bar.",
    verdict: "supported", verdict_words: "supported", claim: "The valve opens at 3 bar.", decided_by: [], by_roma: false,
    address: "/read/d1?start=0&end=25", ...fields,
  };
}

export function makePlace(fields = {}) {
  return {marker: 1, place: "page 3", verdict: "supported", words: "", quote: "The valve opens.", citations: [0], ...fields};
}

export function makeTurn(fields = {}) {
  return {
    id: "t1", state: "complete", question: "When does the valve open?", filters: {}, created_at: "", seconds: 1.5, rating: null,
    comment: "", blocks: ["<p>At 3 bar.</p>"], markdown: "At 3 bar.", answer_id: "a1", answered: "known",
    proof: "1 of 1 statement proven", verdicts: {supported: 1}, citations: [makeCitation()],
    sources: [{document: "d1", title: "Manual", places: [makePlace()]}], conflicts: [], removed: [], follow_ups: [], nearest: [],
    notice: "", notice_details: [], footnote: "", details: "", ...fields,
  };
}

export const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
