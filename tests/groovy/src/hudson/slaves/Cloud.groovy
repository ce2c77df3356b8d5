package hudson.slaves

abstract class Cloud implements Serializable {
    /** Public, as in core; only a copy or a file ever sets it again. */
    public String name
    protected Cloud(String name) { this.name = name }
    String getDisplayName() { name }
    String getUrl() { "cloud/$name/" }
    abstract boolean canProvision(CloudState state)
    static class CloudState { @DataBound CloudState(final Label label, final int additionalPlannedCapacity) { } }
}
