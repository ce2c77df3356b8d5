package org.jenkinsci.plugins.workflow.support.steps.build

import pipeline.Build

/** The variable currentBuild. */
class RunWrapper implements Serializable {
    int getNumber() { Build.current.options.number as int }
    String getId() { Build.current.options.number }
    String getResult() { Build.current.result }
    void setResult(String result) { Build.current.worsen(result) }
    String getCurrentResult() { result ?: 'SUCCESS' }
    String getDescription() { Build.current.description }
    void setDescription(String text) { Build.current.description = text }
    String getDisplayName() { Build.current.displayName }
    void setDisplayName(String name) { Build.current.displayName = name }
    String getFullProjectName() { Build.current.options.job }
    String getProjectName() { fullProjectName.tokenize('/').last() }
    String getFullDisplayName() { "${fullProjectName.replace('/', ' » ')} $displayName" }
    String getAbsoluteUrl() { Build.current.identity().BUILD_URL }
    Object getRawBuild() { throw new UnsupportedOperationException('the pipeline runner does not play rawBuild') }
}
