package hudson.util

import groovy.transform.CompileStatic

@CompileStatic
class VersionNumber implements Comparable<VersionNumber> {
    private final String text

    VersionNumber(String text) { this.text = text }

    /** The leading numbers count; a commit's hash at the end of a version does not. */
    private List<Integer> numbers() { text.tokenize('.-').takeWhile { it.integer }.collect { it.toInteger() } }

    @Override int compareTo(VersionNumber other) {
        List<Integer> mine = numbers()
        List<Integer> theirs = other.numbers()
        for (int i = 0; i < Math.max(mine.size(), theirs.size()); i++) {
            int order = (mine[i] ?: 0) <=> (theirs[i] ?: 0)
            if (order != 0) {
                return order
            }
        }
        0
    }

    boolean isNewerThan(VersionNumber other) { compareTo(other) > 0 }
    boolean isOlderThan(VersionNumber other) { compareTo(other) < 0 }
    @Override boolean equals(Object other) { other instanceof VersionNumber && compareTo(other) == 0 }
    @Override int hashCode() { numbers().hashCode() }
    @Override String toString() { text }
}
