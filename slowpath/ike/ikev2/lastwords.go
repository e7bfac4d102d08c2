package ikev2

import (
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
)

// lastWords is the answer that ended an SA: a refusal, or that to a delete. If it is lost the peer asks again, and gets it once more.
type lastWords struct {
	spi    ikemsg.SPI // ours
	answer answer
	until  time.Time
}

const (
	lastWordsLife = 30 * time.Second
	maxLastWords  = 256 // of those who ended last
)

// remember keeps the last answer of an SA that ends.
func (e *Engine) remember(s *sa) {
	if !s.answered.valid {
		return
	}
	if len(e.lastWords) < maxLastWords {
		e.lastWords = append(e.lastWords, lastWords{})
	}
	e.lastWords[e.nextWords] = lastWords{s.own(), s.answered, e.now.Add(lastWordsLife)}
	e.nextWords = (e.nextWords + 1) % maxLastWords
}

// repeat answers a request that is the last one of an SA which has ended.
func (e *Engine) repeat(path ike.Path, own ikemsg.SPI, raw []byte) bool {
	for i := range e.lastWords {
		w := &e.lastWords[i]
		if w.spi != own || w.until.Before(e.now) || sum(raw) != w.answer.request || e.now.Sub(w.answer.resent) < resendEvery {
			continue
		}
		w.answer.resent = e.now
		e.stats.Resent++
		for _, p := range w.answer.packets {
			e.stats.Sent++
			e.put(nil, path, append([]byte(nil), p...))
		}
		return true
	}
	return false
}
