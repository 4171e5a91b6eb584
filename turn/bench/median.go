//go:build linux

package main

import "slices"

// medians are those of each figure by itself.
func medians(list []result) result {
	of := func(figure func(result) float64) float64 {
		var v []float64
		for _, r := range list {
			v = append(v, figure(r))
		}
		return median(v)
	}
	return result{
		cpu: of(func(r result) float64 { return r.cpu }), loss: of(func(r result) float64 { return r.loss }),
		p50: of(func(r result) float64 { return r.p50 }), p99: of(func(r result) float64 { return r.p99 }),
	}
}

// ratio is the median of the rounds' own ratios: the two of a round had the same neighbours.
func ratio(a, b []result, figure func(result) float64) float64 {
	var v []float64
	for i := range a {
		v = append(v, figure(a[i])/figure(b[i]))
	}
	return median(v)
}

// median of an even number of values is the mean of the two in the middle.
func median(v []float64) float64 {
	slices.Sort(v)
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
