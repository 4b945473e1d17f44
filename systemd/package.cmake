# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0

# A Debian package of what systemd/CMakeLists.txt installs, for hosts without a compiler: ./dev package. Which libraries
# it needs, and in what version, is read from the programs.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME crnpd)
set(CPACK_PACKAGE_VENDOR "the crnpd authors")
set(CPACK_PACKAGE_CONTACT "the crnpd authors <crnpd@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_INSTALL_PREFIX /usr)
# /etc/crnpd is outside of the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# systemd makes the user; an administrator's settings outlive an upgrade.
set(CPACK_DEBIAN_PACKAGE_DEPENDS systemd)
foreach(script conffiles postinst prerm postrm)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/debian/${script})
endforeach()
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
