package hudson.model.labels

@EqualsAndHashCode(includes = 'name') class LabelAtom extends Label implements Comparable<LabelAtom> {
    LabelAtom(String name) { super(name) }
    @Override boolean matches(Collection<LabelAtom> labels) { this in labels }
    @Override int compareTo(LabelAtom other) { name <=> other.name }
}
